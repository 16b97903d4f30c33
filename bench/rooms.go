package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// What single rooms measure themselves, with their own benchmarks.

func spoolAlone(ctx context.Context, b *bench) error {
	return b.goBenchmarks(ctx, "./ingest/spool", ".")
}

func shipperDrain(ctx context.Context, b *bench) error {
	return b.goBenchmarks(ctx, "./ingest", "Drain")
}

func hotPath(ctx context.Context, b *bench) error {
	return b.goBenchmarks(ctx, "./redirect", "Handle")
}

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// goBenchmarks runs a package's benchmarks and reports every figure they print.
func (b *bench) goBenchmarks(ctx context.Context, packagePath, pattern string) error {
	out, err := output(ctx, allCores, "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", "2s", packagePath)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	lines := benchmarkLine.FindAllStringSubmatch(string(out), -1)
	if lines == nil {
		return fmt.Errorf("%s has no benchmark %q:\n%s", packagePath, pattern, out)
	}
	for _, line := range lines {
		fields := strings.Fields(line[2])
		for i := 0; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("%s printed %q: %w", packagePath, line[0], err)
			}
			b.report.add(line[1], fields[i+1], value)
		}
	}
	return nil
}

// tenMillionLinks lets the link index's own test fill it and judge the memory.
// What it prints is kept beside the results.
func tenMillionLinks(ctx context.Context, b *bench) error {
	out, err := output(ctx, allCores, "go", "test", "-count=1", "-v", "-timeout", "30m", "-run", "TestTenMillionLinks", "./redirect/links", "-links.ten-million")
	fmt.Printf("%s", out)
	b.report.Notes = append(b.report.Notes, string(out))
	return err
}

// inRepository checks that the bench was started where the source is.
func inRepository() error {
	if _, err := os.Stat("go.mod"); err != nil {
		return fmt.Errorf("start the bench in the repository's root: %w", err)
	}
	return nil
}
