-- Run as often as needed: what is there stays. Passwords are set, but for those that change with a service's restart.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
ALTER ROLE "root" PASSWORD '0b3a5d7f9e1c2a4b6d8f0e2c4a6b8d0f1e3c5a7b9d1f3e5c7a9b1d3f5e7c9a1b';
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', 'lago', '4dfcf3de-dcca-5c54-9429-cd5c1301d57f')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lago') \gexec
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L',
              'lago', 'lago', 'UTF8', 'C', 'C')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'lago') \gexec
REVOKE CONNECT ON DATABASE "lago" FROM PUBLIC;
