# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Makes db/migrate and db/structure.sql of one version out of the pool: `ruby db/assemble.rb v1.52.1`.
require "fileutils"
require "yaml"

version = ARGV.fetch(0)
Dir.chdir(__dir__)
releases = YAML.load_file("releases.yml")
abort "No such version: #{version}. Known: #{releases.keys.join(", ")}" unless releases.key?(version)

# A release has the migrations of all before it, but a variant ("v1.53.0-broken") does not hand its own on.
line = releases.keys.take_while { |name| name != version }.reject { |name| name.include?("-") } + [version]
names = line.flat_map { |name| releases[name]["migrations"].map { |migration| [migration, name] } }

FileUtils.rm_rf("migrate")
FileUtils.mkdir("migrate")
names.each { |name, _| FileUtils.cp("pool/#{name}.rb", "migrate/") }

# What a variant adds is in no dump: it runs on a fresh database too.
dumped = names.reject { |_, release| release.include?("-") }.map(&:first)
parts = ["preamble", *dumped].map { |name| "parts/#{name}.sql" }.select { |file| File.exist?(file) }
rows = dumped.sort.reverse.map { |name| "('#{name[/\d+/]}')" }
File.write("structure.sql", <<~SQL)
  #{parts.map { |file| File.read(file) }.join("\n")}
  CREATE TABLE public.schema_migrations (version character varying NOT NULL PRIMARY KEY);
  CREATE TABLE public.ar_internal_metadata (
      key character varying NOT NULL PRIMARY KEY, value character varying,
      created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL
  );
  SET search_path TO "$user", public;
  INSERT INTO "schema_migrations" (version) VALUES
  #{rows.join(",\n")};
SQL
File.write("../LAGO_VERSION", "#{version}\n")
