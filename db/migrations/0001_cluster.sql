CREATE TABLE "evalhub"."hub" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"bridge_seen_at" timestamp (6) with time zone,
	"one" boolean DEFAULT true NOT NULL,
	CONSTRAINT "hub_one_unique" UNIQUE("one"),
	CONSTRAINT "hub_one" CHECK ("evalhub"."hub"."one")
);
--> statement-breakpoint
ALTER TABLE "evalhub"."attempts" ADD COLUMN "node" text;--> statement-breakpoint
ALTER TABLE "evalhub"."attempts" ADD COLUMN "started_at" timestamp (6) with time zone;--> statement-breakpoint
ALTER TABLE "evalhub"."attempts" ADD COLUMN "resources" jsonb;--> statement-breakpoint
ALTER TABLE "evalhub"."attempts" ADD COLUMN "report" jsonb;--> statement-breakpoint
ALTER TABLE "evalhub"."runs" ADD COLUMN "waiting" jsonb;--> statement-breakpoint
ALTER TABLE "evalhub"."runs" ADD COLUMN "waiting_since" timestamp (6) with time zone;--> statement-breakpoint
CREATE INDEX "launch_queue_leased" ON "evalhub"."launch_queue" USING btree ("lease_expires_at","tenant");--> statement-breakpoint
ALTER TABLE "evalhub"."runs" ADD CONSTRAINT "runs_waiting" CHECK ("evalhub"."runs"."waiting" is null or "evalhub"."runs"."state" = 'pending');
--> statement-breakpoint
INSERT INTO "evalhub"."hub" DEFAULT VALUES;
