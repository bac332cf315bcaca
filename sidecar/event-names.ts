import { EMPTY_IS_ABSENT, type Names } from '#shared/decode.ts'

const message = { message: null, message_code: null, message_origin: null }

/** The names in the body of an event, as its schema has them: to load that would take more than 9 MB in each pod. A test compares the two. */
export const EVENT_NAMES: Names = {
  benchmark_status_event: {
    provider_id: null,
    id: null,
    benchmark_index: null,
    status: null,
    phase: EMPTY_IS_ABSENT,
    progress: null,
    metrics: null,
    metrics_schema: [{ name: null, type: null }],
    additional_info: null,
    artifacts: null,
    error_message: message,
    warning_message: message,
    started_at: EMPTY_IS_ABSENT,
    completed_at: EMPTY_IS_ABSENT,
    mlflow_run_id: null,
    logs_path: null,
    job_meta: { resolved_sha: null },
  },
}
