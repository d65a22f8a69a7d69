ALTER TABLE `announcement` ADD `shard` integer;--> statement-breakpoint
ALTER TABLE `announcement` ADD `shards` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `announcement` ADD `place` integer;--> statement-breakpoint
ALTER TABLE `announcement` ADD `former` integer;--> statement-breakpoint
ALTER TABLE `announcement` ADD `moved_at` integer;