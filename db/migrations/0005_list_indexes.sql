CREATE INDEX "evaluations_name" ON "evalhub"."evaluations" USING btree ("tenant","name","id" DESC NULLS LAST) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "evaluations_tags" ON "evalhub"."evaluations" USING gin ("tags");
