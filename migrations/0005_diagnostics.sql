ALTER TABLE `runs` ADD `diagnostics` text;--> statement-breakpoint
ALTER TABLE `catalogue` ADD `diagnostics` text;