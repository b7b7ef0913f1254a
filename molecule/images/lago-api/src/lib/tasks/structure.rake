# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Rails 8, which Lago runs on, loads db/structure.sql into a database without schema_migrations before it migrates. Debian's Rails does
# not yet. SCHEMA names another file; one that does not exist makes all migrations run.
namespace :standin do
  task load_structure: "db:load_config" do
    tasks = ActiveRecord::Tasks::DatabaseTasks
    config = ActiveRecord::Base.configurations.configs_for(env_name: tasks.env, name: "primary")
    tasks.with_temporary_pool_for_each(name: "primary") do |pool|
      next if pool.schema_migration.table_exists?

      file = tasks.schema_dump_path(config)
      tasks.load_schema(config, :sql, file) if file && File.exist?(file)
    rescue ActiveRecord::NoDatabaseError
      tasks.create(config)
      retry
    end
  end
end

Rake::Task["db:migrate"].enhance(["standin:load_structure"])
