DROP INDEX "evalhub"."evaluations_tenant";--> statement-breakpoint
DROP INDEX "evalhub"."evaluations_state";--> statement-breakpoint
CREATE INDEX "evaluations_name" ON "evalhub"."evaluations" USING btree ("tenant","name","id") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "evaluations_tags" ON "evalhub"."evaluations" USING gin ("tags");--> statement-breakpoint
CREATE INDEX "evaluations_tenant" ON "evalhub"."evaluations" USING btree ("tenant","id") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "evaluations_state" ON "evalhub"."evaluations" USING btree ("tenant","state","id") WHERE deleted_at is null;