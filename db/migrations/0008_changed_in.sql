-- Each row is written anew, once: what was there belongs to this transaction.
ALTER TABLE "evalhub"."attempts" ADD COLUMN "launched_in" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
  ADD COLUMN "changed_in" "xid8" DEFAULT pg_current_xact_id() NOT NULL;--> statement-breakpoint
ALTER TABLE "evalhub"."launch_queue" ADD COLUMN "changed_in" "xid8" DEFAULT pg_current_xact_id() NOT NULL;--> statement-breakpoint
CREATE INDEX "attempts_changed" ON "evalhub"."attempts" USING btree ("changed_in");--> statement-breakpoint
CREATE INDEX "launch_queue_changed" ON "evalhub"."launch_queue" USING btree ("changed_in");