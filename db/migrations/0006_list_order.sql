DROP INDEX "evalhub"."evaluations_tenant";--> statement-breakpoint
DROP INDEX "evalhub"."evaluations_state";--> statement-breakpoint
DROP INDEX "evalhub"."evaluations_name";--> statement-breakpoint
CREATE INDEX "evaluations_tenant" ON "evalhub"."evaluations" USING btree ("tenant","id" DESC NULLS LAST) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "evaluations_state" ON "evalhub"."evaluations" USING btree ("tenant","state","id" DESC NULLS LAST) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "evaluations_name" ON "evalhub"."evaluations" USING btree ("tenant","name","id" DESC NULLS LAST) WHERE deleted_at is null;