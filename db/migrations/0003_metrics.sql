CREATE TABLE "evalhub"."deleted_evaluation_counts" (
	"state" "evalhub"."evaluation_state" PRIMARY KEY NOT NULL,
	"total" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "attempts_launched" ON "evalhub"."attempts" USING btree ("launched_at");--> statement-breakpoint
CREATE INDEX "attempts_ended" ON "evalhub"."attempts" USING btree ("ended_at");--> statement-breakpoint
-- From here on written by hand: drizzle has no words for triggers. It fires for a job that is deleted only, so nothing else pays for it.
CREATE FUNCTION "evalhub"."count_deleted_evaluation"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO evalhub.deleted_evaluation_counts AS counts (state, total) VALUES (NEW.state, 1)
  ON CONFLICT (state) DO UPDATE SET total = counts.total + 1;
  RETURN NULL;
END
$$;--> statement-breakpoint
CREATE TRIGGER "evaluations_counted_deleted" AFTER UPDATE OF deleted_at ON "evalhub"."evaluations"
FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION "evalhub"."count_deleted_evaluation"();
