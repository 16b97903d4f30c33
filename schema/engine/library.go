package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// FindLibrary returns the path of the engine's library: explicit when it is
// given, else the first there is of the places where 'make deps', a package or
// a container image puts it. The error of a search without result names all
// of them.
func FindLibrary(explicit string) (string, error) {
	if explicit != "" {
		path, err := filepath.Abs(explicit)
		if err != nil {
			return "", fmt.Errorf("engine library %s: %w", explicit, err)
		}
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return "", fmt.Errorf("engine library: there is no file %s; give --engine-library the path of libchdb.so, or run 'make deps' and leave it out", path)
		}
		return path, nil
	}
	executable, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("engine library: find this executable: %w", err)
	}
	if resolved, err := filepath.EvalSymlinks(executable); err == nil {
		executable = resolved
	}
	work, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("engine library: %w", err)
	}
	return SearchLibrary(filepath.Dir(executable), work)
}

// SearchLibrary searches as FindLibrary does, from the given directories
// instead of this executable's and the working one.
func SearchLibrary(executableDir, workDir string) (string, error) {
	candidates := libraryCandidates(executableDir, workDir)
	for _, path := range candidates {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("the ClickHouse engine library is not installed: run 'make deps', or name it with --engine-library, or use a server with --clickhouse DSN; looked for\n  %s",
		strings.Join(candidates, "\n  "))
}

// libraryCandidates lists where the library may be, best first.
func libraryCandidates(executableDir, workDir string) []string {
	names := []string{"libchdb.so"}
	if runtime.GOOS == "darwin" {
		names = []string{"libchdb.dylib", "libchdb.so"}
	}
	architecture := runtime.GOARCH
	if architecture == "amd64" {
		architecture = "x64"
	}
	packageName := "lib-" + runtime.GOOS + "-" + architecture
	if runtime.GOOS == "linux" {
		packageName += "-gnu"
	}
	inPackage := filepath.Join("node_modules", "@chdb", packageName)
	dirs := []string{
		executableDir,
		filepath.Join(executableDir, "..", "lib", "tributary"),
		filepath.Join(executableDir, inPackage),
		filepath.Join(executableDir, "..", inPackage),
		filepath.Join(workDir, inPackage),
	}
	var candidates []string
	for _, dir := range dirs {
		for _, name := range names {
			if path := filepath.Join(dir, name); !slices.Contains(candidates, path) {
				candidates = append(candidates, path)
			}
		}
	}
	return candidates
}
