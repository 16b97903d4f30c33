// Command tributary is the whole of Tributary in one binary: the tracker that
// redirects shoppers, the API, and everything behind them.
//
// Beside flags, signals and wiring it does the work that needs several rooms at
// once: copying money to ClickHouse, paying clicks, erasing persons, audit,
// backup. No other package may import all rooms: imports_test.go says which may
// know which.
//
// Reading order: main.go (the command line and exit codes), settings.go with
// layers.go and config.go (settings, from flags, variables and the file),
// serve.go and app.go (how the house is wired), lifecycle.go (what a stop
// does, in which order), reload.go (SIGHUP), then one file for each verb, by
// its name.
//
// Groups of files, by how their names begin:
//
//   - datadir, installation, secrets, clickkeys: what a process owns and shares
//   - engine, clickhouse, outbox, shipping: what goes to ClickHouse
//   - money, payclicks, fraudrates, forgetting, leader: what runs by itself, and on
//     which node
//   - fleet, nodes, control: other nodes, and verbs beside a serving process
//   - accounts, audit: what was received is somewhere
//   - backup, restore, migrate, erase, reclassify: the stores as a whole
//   - demo, docs: the demo data set, and generated references
package main
