package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the Makefile: a tag, or a commit.
var version = "development"

type versionCommand struct{}

// Run prints what a bug report needs.
func (versionCommand) Run(t terminal) error {
	fmt.Fprintf(t.Out, "tributary %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/ClickHouse/clickhouse-go/v2" || module.Path == "github.com/valyala/fasthttp" {
				fmt.Fprintf(t.Out, "  %s %s\n", module.Path, module.Version)
			}
		}
	}
	return nil
}
