// Package deploy holds no program: this directory is how Tributary is put on machines,
// and the package's tests keep it true. They give each file to the tool that will read
// it where there is one (promtool, nginx, caddy, systemd-analyze), compare the
// Kubernetes manifests with Kubernetes' own types, and see that every setting, metric
// and document that is named exists. What needs a running server, shoppers through
// each proxy with the right address, is in cmd/tributary.
package deploy
