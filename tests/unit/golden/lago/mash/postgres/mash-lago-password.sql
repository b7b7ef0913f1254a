SET log_statement = 'none';
SET log_min_error_statement = 'panic';
ALTER ROLE "lago" LOGIN PASSWORD '4dfcf3de-dcca-5c54-9429-cd5c1301d57f';
