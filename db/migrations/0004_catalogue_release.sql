ALTER TABLE "evalhub"."hub" ADD COLUMN "catalogue_release" text;
