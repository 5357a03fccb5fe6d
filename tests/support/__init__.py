"""What several test files share: real brokers, servers and gateways, recordings of messages, contract suites."""
