CREATE SCHEMA "evalhub";
--> statement-breakpoint
CREATE TYPE "evalhub"."evaluation_state" AS ENUM('pending', 'running', 'completed', 'failed', 'cancelled', 'partially_failed');--> statement-breakpoint
CREATE TYPE "evalhub"."phase" AS ENUM('initializing', 'loading_data', 'running_evaluation', 'post_processing', 'persisting_artifacts', 'completed');--> statement-breakpoint
CREATE TYPE "evalhub"."run_state" AS ENUM('pending', 'running', 'completed', 'failed', 'cancelled');--> statement-breakpoint
CREATE TYPE "evalhub"."source" AS ENUM('catalogue', 'api');--> statement-breakpoint
CREATE TABLE "evalhub"."attempts" (
	"evaluation_id" uuid NOT NULL,
	"benchmark_index" integer NOT NULL,
	"attempt" smallint NOT NULL,
	"launched_at" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"holder" text NOT NULL,
	"object_uid" text,
	"failure_class" text,
	"exit_code" integer,
	"message" text,
	"ended_at" timestamp (6) with time zone,
	CONSTRAINT "attempts_evaluation_id_benchmark_index_attempt_pk" PRIMARY KEY("evaluation_id","benchmark_index","attempt")
);
--> statement-breakpoint
CREATE TABLE "evalhub"."collections" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"source" "evalhub"."source" NOT NULL,
	"owner" text NOT NULL,
	"config" jsonb NOT NULL,
	"created_at" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "evalhub"."evaluation_counts" (
	"tenant" text NOT NULL,
	"state" "evalhub"."evaluation_state" NOT NULL,
	"slot" smallint NOT NULL,
	"total" bigint NOT NULL,
	CONSTRAINT "evaluation_counts_tenant_state_slot_pk" PRIMARY KEY("tenant","state","slot")
);
--> statement-breakpoint
CREATE TABLE "evalhub"."evaluations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"owner" text NOT NULL,
	"name" text NOT NULL,
	"tags" jsonb NOT NULL,
	"state" "evalhub"."evaluation_state" DEFAULT 'pending' NOT NULL,
	"message" jsonb NOT NULL,
	"request" jsonb NOT NULL,
	"experiment" text,
	"created_at" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp (6) with time zone,
	"score" double precision,
	"passed" boolean,
	"aggregate_threshold" double precision NOT NULL,
	"collection_updated_at" text,
	"last_seq" integer DEFAULT 0 NOT NULL,
	"cancelled_at" timestamp (6) with time zone,
	"deleted_at" timestamp (6) with time zone,
	CONSTRAINT "evaluations_finished" CHECK (("evalhub"."evaluations"."state" in ('pending', 'running')) = ("evalhub"."evaluations"."finished_at" is null))
);
--> statement-breakpoint
CREATE TABLE "evalhub"."idempotency_keys" (
	"tenant" text NOT NULL,
	"route" text NOT NULL,
	"key" text NOT NULL,
	"body_hash" text NOT NULL,
	"resource_id" text NOT NULL,
	"expires_at" timestamp (6) with time zone DEFAULT now() + interval '24 hours' NOT NULL,
	CONSTRAINT "idempotency_keys_tenant_route_key_pk" PRIMARY KEY("tenant","route","key")
);
--> statement-breakpoint
CREATE TABLE "evalhub"."job_events" (
	"evaluation_id" uuid NOT NULL,
	"seq" integer NOT NULL,
	"at" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"benchmark_index" integer,
	"attempt" smallint,
	"state" text NOT NULL,
	"message" text,
	CONSTRAINT "job_events_evaluation_id_seq_pk" PRIMARY KEY("evaluation_id","seq")
);
--> statement-breakpoint
CREATE TABLE "evalhub"."launch_queue" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "evalhub"."launch_queue_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tenant" text NOT NULL,
	"evaluation_id" uuid NOT NULL,
	"benchmark_index" integer NOT NULL,
	"attempt" smallint NOT NULL,
	"due_at" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"lease_holder" text,
	"lease_expires_at" timestamp (6) with time zone,
	"tries" integer DEFAULT 0 NOT NULL,
	"last_error" text,
	CONSTRAINT "launch_queue_run" UNIQUE("evaluation_id","benchmark_index")
);
--> statement-breakpoint
CREATE TABLE "evalhub"."provider_benchmarks" (
	"provider_id" text NOT NULL,
	"benchmark_id" text NOT NULL,
	"position" integer NOT NULL,
	"definition" jsonb NOT NULL,
	CONSTRAINT "provider_benchmarks_provider_id_benchmark_id_pk" PRIMARY KEY("provider_id","benchmark_id")
);
--> statement-breakpoint
CREATE TABLE "evalhub"."providers" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"source" "evalhub"."source" NOT NULL,
	"owner" text NOT NULL,
	"config" jsonb NOT NULL,
	"created_at" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"runtime" jsonb,
	"deadline_seconds" integer
);
--> statement-breakpoint
CREATE TABLE "evalhub"."run_logs" (
	"evaluation_id" uuid NOT NULL,
	"benchmark_index" integer NOT NULL,
	"attempt" smallint NOT NULL,
	"container" text NOT NULL,
	"seq" integer NOT NULL,
	"chunk" "bytea" NOT NULL,
	"bytes" integer NOT NULL,
	"first_at" timestamp (6) with time zone NOT NULL,
	"last_at" timestamp (6) with time zone NOT NULL,
	CONSTRAINT "run_logs_evaluation_id_benchmark_index_attempt_container_seq_pk" PRIMARY KEY("evaluation_id","benchmark_index","attempt","container","seq")
);
--> statement-breakpoint
CREATE TABLE "evalhub"."runs" (
	"evaluation_id" uuid NOT NULL,
	"benchmark_index" integer NOT NULL,
	"provider_id" text NOT NULL,
	"benchmark_id" text NOT NULL,
	"spec" jsonb NOT NULL,
	"state" "evalhub"."run_state" DEFAULT 'pending' NOT NULL,
	"phase" "evalhub"."phase",
	"progress" real,
	"attempt" smallint DEFAULT 1 NOT NULL,
	"error_message" jsonb,
	"warning_message" jsonb,
	"started_at" text,
	"completed_at" text,
	"metrics" jsonb,
	"metrics_schema" jsonb,
	"additional_info" jsonb,
	"artifacts" jsonb,
	"test" jsonb,
	"mlflow_run_id" text,
	"logs_path" text,
	"resolved_sha" text,
	"updated_at" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp (6) with time zone,
	"settled_at" timestamp (6) with time zone,
	CONSTRAINT "runs_evaluation_id_benchmark_index_pk" PRIMARY KEY("evaluation_id","benchmark_index"),
	CONSTRAINT "runs_finished" CHECK (("evalhub"."runs"."state" in ('pending', 'running')) = ("evalhub"."runs"."finished_at" is null))
);
--> statement-breakpoint
ALTER TABLE "evalhub"."attempts" ADD CONSTRAINT "attempts_evaluation_id_benchmark_index_runs_evaluation_id_benchmark_index_fk" FOREIGN KEY ("evaluation_id","benchmark_index") REFERENCES "evalhub"."runs"("evaluation_id","benchmark_index") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "evalhub"."job_events" ADD CONSTRAINT "job_events_evaluation_id_evaluations_id_fk" FOREIGN KEY ("evaluation_id") REFERENCES "evalhub"."evaluations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "evalhub"."launch_queue" ADD CONSTRAINT "launch_queue_evaluation_id_evaluations_id_fk" FOREIGN KEY ("evaluation_id") REFERENCES "evalhub"."evaluations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "evalhub"."provider_benchmarks" ADD CONSTRAINT "provider_benchmarks_provider_id_providers_id_fk" FOREIGN KEY ("provider_id") REFERENCES "evalhub"."providers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "evalhub"."run_logs" ADD CONSTRAINT "run_logs_evaluation_id_evaluations_id_fk" FOREIGN KEY ("evaluation_id") REFERENCES "evalhub"."evaluations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "evalhub"."runs" ADD CONSTRAINT "runs_evaluation_id_evaluations_id_fk" FOREIGN KEY ("evaluation_id") REFERENCES "evalhub"."evaluations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "attempts_open" ON "evalhub"."attempts" USING btree ("evaluation_id","benchmark_index") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "collections_tenant" ON "evalhub"."collections" USING btree ("tenant","id");--> statement-breakpoint
CREATE INDEX "evaluations_tenant" ON "evalhub"."evaluations" USING btree ("tenant","id" DESC NULLS LAST) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "evaluations_state" ON "evalhub"."evaluations" USING btree ("tenant","state","id" DESC NULLS LAST) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "evaluations_deleted" ON "evalhub"."evaluations" USING btree ("deleted_at") WHERE deleted_at is not null;--> statement-breakpoint
CREATE INDEX "idempotency_keys_expiry" ON "evalhub"."idempotency_keys" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "launch_queue_due" ON "evalhub"."launch_queue" USING btree ("tenant","due_at","id");--> statement-breakpoint
CREATE INDEX "providers_tenant" ON "evalhub"."providers" USING btree ("tenant","id");--> statement-breakpoint
CREATE INDEX "runs_unsettled" ON "evalhub"."runs" USING btree ("evaluation_id","benchmark_index") WHERE settled_at is null and finished_at is not null;--> statement-breakpoint
-- From here on written by hand: drizzle has no words for triggers.
-- One row of evaluation_counts is locked per statement, tenant and state. The slot is the backend's, so writers seldom meet;
-- the ORDER BY gives all writers one order of locks.
CREATE FUNCTION "evalhub"."count_evaluations"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO evalhub.evaluation_counts AS counts (tenant, state, slot, total)
    SELECT tenant, state, pg_backend_pid() % 16, count(*)
    FROM added WHERE deleted_at IS NULL GROUP BY tenant, state ORDER BY tenant, state
    ON CONFLICT (tenant, state, slot) DO UPDATE SET total = counts.total + excluded.total;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO evalhub.evaluation_counts AS counts (tenant, state, slot, total)
    SELECT tenant, state, pg_backend_pid() % 16, -count(*)
    FROM removed WHERE deleted_at IS NULL GROUP BY tenant, state ORDER BY tenant, state
    ON CONFLICT (tenant, state, slot) DO UPDATE SET total = counts.total + excluded.total;
  ELSE
    INSERT INTO evalhub.evaluation_counts AS counts (tenant, state, slot, total)
    SELECT tenant, state, pg_backend_pid() % 16, sum(change)
    FROM (
      SELECT tenant, state, 1 AS change FROM added WHERE deleted_at IS NULL
      UNION ALL
      SELECT tenant, state, -1 FROM removed WHERE deleted_at IS NULL
    ) AS changes
    GROUP BY tenant, state HAVING sum(change) <> 0 ORDER BY tenant, state
    ON CONFLICT (tenant, state, slot) DO UPDATE SET total = counts.total + excluded.total;
  END IF;
  RETURN NULL;
END
$$;--> statement-breakpoint
CREATE TRIGGER "evaluations_counted_insert" AFTER INSERT ON "evalhub"."evaluations"
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "evalhub"."count_evaluations"();--> statement-breakpoint
CREATE TRIGGER "evaluations_counted_update" AFTER UPDATE ON "evalhub"."evaluations"
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "evalhub"."count_evaluations"();--> statement-breakpoint
CREATE TRIGGER "evaluations_counted_delete" AFTER DELETE ON "evalhub"."evaluations"
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION "evalhub"."count_evaluations"();
