CREATE TABLE "evalhub"."catalogue_release" (
	"one" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"release" text NOT NULL,
	CONSTRAINT "catalogue_release_one" CHECK ("evalhub"."catalogue_release"."one")
);
