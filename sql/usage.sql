-- The table of calls, its partitions, log_call() and load_usage().
SET timezone = 'America/New_York';
SET client_min_messages = warning;
CALL tokenomics.install('llm');
CALL tokenomics.install('llm');
