CREATE TABLE "evalhub"."submit_rates" (
	"tenant" text PRIMARY KEY NOT NULL,
	"minute" timestamp (6) with time zone NOT NULL,
	"jobs" integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE "evalhub"."evaluation_counts" ADD COLUMN "open_runs" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "evalhub"."evaluation_counts" ADD COLUMN "stored_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "evalhub"."evaluations" ADD COLUMN "open_runs" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "evalhub"."evaluations" ADD COLUMN "stored_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
-- From here on written by hand: drizzle has no words for triggers and functions.
-- As in 0000_init, and the same row counts what the tenant's quotas are about. A job that has ended has no open runs, whoever ended it.
CREATE OR REPLACE FUNCTION "evalhub"."count_evaluations"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO evalhub.evaluation_counts AS counts (tenant, state, slot, total, open_runs, stored_bytes)
    SELECT tenant, state, pg_backend_pid() % 16, count(*), sum(open_runs), sum(stored_bytes)
    FROM added WHERE deleted_at IS NULL GROUP BY tenant, state ORDER BY tenant, state
    ON CONFLICT (tenant, state, slot) DO UPDATE SET
      total = counts.total + excluded.total, open_runs = counts.open_runs + excluded.open_runs,
      stored_bytes = counts.stored_bytes + excluded.stored_bytes;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO evalhub.evaluation_counts AS counts (tenant, state, slot, total, open_runs, stored_bytes)
    SELECT tenant, state, pg_backend_pid() % 16, -count(*), -sum(CASE WHEN finished_at IS NULL THEN open_runs ELSE 0 END), -sum(stored_bytes)
    FROM removed WHERE deleted_at IS NULL GROUP BY tenant, state ORDER BY tenant, state
    ON CONFLICT (tenant, state, slot) DO UPDATE SET
      total = counts.total + excluded.total, open_runs = counts.open_runs + excluded.open_runs,
      stored_bytes = counts.stored_bytes + excluded.stored_bytes;
  ELSE
    INSERT INTO evalhub.evaluation_counts AS counts (tenant, state, slot, total, open_runs, stored_bytes)
    SELECT tenant, state, pg_backend_pid() % 16, sum(change), sum(change * open), sum(change * stored_bytes)
    FROM (
      SELECT tenant, state, 1 AS change, CASE WHEN finished_at IS NULL THEN open_runs ELSE 0 END AS open, stored_bytes
      FROM added WHERE deleted_at IS NULL
      UNION ALL
      SELECT tenant, state, -1, CASE WHEN finished_at IS NULL THEN open_runs ELSE 0 END, stored_bytes FROM removed WHERE deleted_at IS NULL
    ) AS changes
    GROUP BY tenant, state HAVING sum(change) <> 0 OR sum(change * open) <> 0 OR sum(change * stored_bytes) <> 0 ORDER BY tenant, state
    ON CONFLICT (tenant, state, slot) DO UPDATE SET
      total = counts.total + excluded.total, open_runs = counts.open_runs + excluded.open_runs,
      stored_bytes = counts.stored_bytes + excluded.stored_bytes;
  END IF;
  RETURN NULL;
END
$$;--> statement-breakpoint
-- Judges jobs of a tenant by its quotas, in their order; null is no quota. Answers those that are refused: with which quota, what the tenant has of
-- it, and the seconds until the next minute. Whoever else submits for the tenant waits until this transaction ends, so that nobody is let in by what
-- somebody has taken already: each query of such a function sees what was committed before it, also while the statement waited.
CREATE FUNCTION "evalhub"."admit"(
  of_tenant text, ids uuid[], runs int[], bytes bigint[], all_runs bigint, all_bytes bigint, runs_max bigint, jobs_max bigint, bytes_max bigint
) RETURNS TABLE (job_id uuid, quota text, used bigint, wait_seconds int) LANGUAGE plpgsql AS $$
DECLARE
  asked int := cardinality(ids);
  this_minute timestamptz := date_trunc('minute', clock_timestamp());
  in_minute bigint;
  open bigint;
  stored bigint;
BEGIN
  INSERT INTO evalhub.submit_rates AS rate (tenant, minute, jobs) VALUES (of_tenant, this_minute, asked)
  ON CONFLICT (tenant) DO UPDATE SET
    minute = greatest(rate.minute, excluded.minute),
    jobs = CASE WHEN rate.minute < excluded.minute THEN 0 ELSE rate.jobs END + excluded.jobs
  RETURNING rate.minute, rate.jobs - asked INTO this_minute, in_minute;
  SELECT coalesce(sum(open_runs), 0), coalesce(sum(stored_bytes), 0) INTO open, stored
  FROM evalhub.evaluation_counts WHERE tenant = of_tenant;
  IF (in_minute + asked > jobs_max OR open + all_runs > runs_max OR stored + all_bytes > bytes_max) IS NOT TRUE THEN
    RETURN;
  END IF;
  wait_seconds := ceil(extract(epoch FROM this_minute + interval '1 minute' - clock_timestamp()));
  FOR at IN 1..asked LOOP
    IF in_minute >= jobs_max THEN
      quota := 'jobs_per_minute';
      used := in_minute;
    ELSIF open + runs[at] > runs_max THEN
      quota := 'open_runs';
      used := open;
    ELSIF stored + bytes[at] > bytes_max THEN
      quota := 'stored_bytes';
      used := stored;
    ELSE
      in_minute := in_minute + 1;
      open := open + runs[at];
      stored := stored + bytes[at];
      CONTINUE;
    END IF;
    job_id := ids[at];
    RETURN NEXT;
  END LOOP;
  UPDATE evalhub.submit_rates SET jobs = in_minute WHERE tenant = of_tenant;
END
$$;--> statement-breakpoint
-- What is there already is counted as what comes from now on. The trigger takes it to the counts.
UPDATE "evalhub"."evaluations" SET
  "open_runs" = (SELECT count(*) FROM "evalhub"."runs" WHERE evaluation_id = id AND finished_at IS NULL),
  "stored_bytes" = footprint
    + coalesce((SELECT sum(octet_length(spec::text)) FROM "evalhub"."runs" WHERE evaluation_id = id), 0)
    + coalesce((SELECT sum(octet_length(chunk) + coalesce(octet_length(times), 0)) FROM "evalhub"."run_logs" WHERE evaluation_id = id), 0);
