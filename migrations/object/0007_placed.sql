ALTER TABLE `chains` ADD `object` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `chains` ADD `object_end` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `chains` ADD `sum` integer;--> statement-breakpoint
ALTER TABLE `chunks` ADD `object` integer;--> statement-breakpoint
ALTER TABLE `chunks` ADD `at` integer;--> statement-breakpoint
ALTER TABLE `chunks` ADD `size` integer;--> statement-breakpoint
ALTER TABLE `chunks` ADD `sum` integer;--> statement-breakpoint
ALTER TABLE `run_meta` ADD `sum` integer;