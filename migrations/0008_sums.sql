ALTER TABLE `about` ADD `sum` integer;--> statement-breakpoint
ALTER TABLE `levels` ADD `sum` integer;