-- Written by hand: drizzle has no words for functions.
-- As in 0009_quotas, and by idempotency keys (null is none), so that what is repeated is neither refused nor counted twice. Answers the jobs that are not
-- to be stored: those that are refused, and without a quota those whose key stands for another one already, in the table or before them in `ids`.
-- Who was judged before has committed keys and jobs together. Rarely a row: told so, the planner makes no room for thousands.
-- The function without `keys` stays for the functions of the release before.
CREATE FUNCTION "evalhub"."admit"(
  of_tenant text, ids uuid[], keys text[], runs int[], bytes bigint[], all_runs bigint, all_bytes bigint, runs_max bigint, jobs_max bigint, bytes_max bigint
) RETURNS TABLE (job_id uuid, quota text, used bigint, wait_seconds int) LANGUAGE plpgsql ROWS 1 AS $$
DECLARE
  asked int := cardinality(ids);
  has_keys boolean := cardinality(array_remove(keys, NULL)) > 0;
  used_keys text[] := '{}';
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
  IF NOT has_keys AND (in_minute + asked > jobs_max OR open + all_runs > runs_max OR stored + all_bytes > bytes_max) IS NOT TRUE THEN
    RETURN;
  END IF;
  IF has_keys THEN
    SELECT coalesce(array_agg(old.key), '{}') INTO used_keys
    FROM evalhub.idempotency_keys AS old WHERE old.tenant = of_tenant AND old.route = 'jobs' AND old.key = ANY (keys);
  END IF;
  wait_seconds := ceil(extract(epoch FROM this_minute + interval '1 minute' - clock_timestamp()));
  FOR at IN 1..asked LOOP
    job_id := ids[at];
    IF keys[at] = ANY (used_keys) THEN
      quota := NULL;
      used := NULL;
    ELSIF in_minute >= jobs_max THEN
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
      used_keys := array_append(used_keys, keys[at]);
      CONTINUE;
    END IF;
    RETURN NEXT;
  END LOOP;
  UPDATE evalhub.submit_rates SET jobs = in_minute WHERE tenant = of_tenant AND jobs <> in_minute;
END
$$;
