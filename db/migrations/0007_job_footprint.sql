ALTER TABLE "evalhub"."evaluations" ADD COLUMN "footprint" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
-- As shared/domain/footprint.ts counts text: its bytes, 64 for each list, object and member, 16 for each item.
UPDATE "evalhub"."evaluations" SET "footprint" = least(
	octet_length(answer) + 64 * (length(answer) - length(translate(answer, '{[:', ''))) + 16 * (length(answer) - length(replace(answer, ',', ''))) + 3072 * runs,
	2000000000)
FROM (
	SELECT evaluation_id, count(*) AS runs, request::text || coalesce(string_agg(concat(
		error_message, warning_message, metrics, metrics_schema, additional_info, artifacts, mlflow_run_id, logs_path), ''), '') AS answer
	FROM "evalhub"."evaluations" JOIN "evalhub"."runs" ON evaluation_id = id GROUP BY evaluation_id, request
) AS known WHERE evaluation_id = id;
