package engine

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
)

// serverConfig is ClickHouse's configuration file, as far as the child sets it:
// the bounds of a small machine, and no tables of logs.
type serverConfig struct {
	XMLName          xml.Name `xml:"clickhouse"`
	Extra            string   `xml:",innerxml"` // Options.Config
	UsersConfig      string   `xml:"users_config"`
	Timezone         string   `xml:"timezone"`
	MaxMemory        int64    `xml:"max_server_memory_usage"`
	MaxThreads       int      `xml:"max_thread_pool_size"`
	FreeThreads      int      `xml:"max_thread_pool_free_size"`
	MarkCache        int64    `xml:"mark_cache_size"`
	UncompressedData int64    `xml:"uncompressed_cache_size"`
	CompiledCache    int64    `xml:"compiled_expression_cache_size"`
	BackgroundPool   int      `xml:"background_pool_size"`
	BackgroundRatio  int      `xml:"background_merges_mutations_concurrency_ratio"`
	CommonPool       int      `xml:"background_common_pool_size"`
	FetchesPool      int      `xml:"background_fetches_pool_size"`
	MovePool         int      `xml:"background_move_pool_size"`
	PartsLoading     int      `xml:"max_active_parts_loading_thread_pool_size"`
	MergeTree        struct {
		// These default to more than background_pool_size, which would forbid all mutations.
		FreeForMutation int `xml:"number_of_free_entries_in_pool_to_execute_mutation"`
		FreeForBigMerge int `xml:"number_of_free_entries_in_pool_to_lower_max_size_of_merge"`
		FreeForOptimize int `xml:"number_of_free_entries_in_pool_to_execute_optimize_entire_partition"`
		// Small buffers that grow: a part of 40 columns would take 100 MB while it is written.
		AdaptiveBuffers int `xml:"min_columns_to_activate_adaptive_write_buffer"`
		// Both are 0 in the library: what was merged would be removed at once, and the
		// merged part be on disk some time later.
		KeepMergedSeconds int `xml:"old_parts_lifetime"`
		SyncMergedRows    int `xml:"min_rows_to_fsync_after_merge"`
	} `xml:"merge_tree"`
	KeepFree int64   `xml:"storage_configuration>disks>default>keep_free_space_bytes"`
	Profile  profile `xml:"profiles>default"`
	User     struct {
		Password string `xml:"password"`
		Network  string `xml:"networks>ip"`
		Profile  string `xml:"profile"`
		Quota    string `xml:"quota"`
	} `xml:"users>default"`
	Quota string `xml:"quotas>default"`
}

// profile holds the settings every connection begins with.
type profile struct {
	MaxThreads          int   `xml:"max_threads"`
	MaxInsertThreads    int   `xml:"max_insert_threads"`
	ThreadMemory        int64 `xml:"max_threads_min_free_memory_per_thread"` // 0: a query has all its threads, however little memory is free
	MaxMemory           int64 `xml:"max_memory_usage"`
	GroupByInMemory     int64 `xml:"max_bytes_before_external_group_by"`
	SortInMemory        int64 `xml:"max_bytes_before_external_sort"`
	ImplicitSelect      int   `xml:"implicit_select"`
	SchemaFileCache     int   `xml:"schema_inference_use_cache_for_file"`
	Introspection       int   `xml:"allow_introspection_functions"`
	DedupInViews        int   `xml:"deduplicate_blocks_in_dependent_materialized_views"`
	CompileExpressions  int   `xml:"compile_expressions"`
	CompileAggregations int   `xml:"compile_aggregate_expressions"`
}

func configPath(dir string) string { return filepath.Join(dir, "engine.xml") }

// writeConfig writes the engine's configuration file into its directory.
func writeConfig(c childConfig) error {
	const megabyte = 1 << 20
	config := serverConfig{
		UsersConfig: configPath(c.Dir), Timezone: "UTC",
		MaxMemory: c.MaxMemoryBytes, MaxThreads: 64 + 16*c.MaxQueries*c.MaxThreads, FreeThreads: 4,
		MarkCache: 32 * megabyte, CompiledCache: 8 * megabyte,
		Extra:          c.Config,
		BackgroundPool: 2, BackgroundRatio: 1, CommonPool: 2, FetchesPool: 1, MovePool: 1, PartsLoading: c.MaxThreads,
		Profile: profile{
			MaxThreads: c.MaxThreads, MaxInsertThreads: 1, MaxMemory: c.MaxQueryMemoryBytes,
			GroupByInMemory: c.MaxQueryMemoryBytes / 2, SortInMemory: c.MaxQueryMemoryBytes / 2,
			DedupInViews: 1,
		},
	}
	config.MergeTree.FreeForMutation, config.MergeTree.FreeForBigMerge, config.MergeTree.FreeForOptimize = 1, 1, 1
	config.MergeTree.AdaptiveBuffers = 1
	config.MergeTree.KeepMergedSeconds, config.MergeTree.SyncMergedRows = 480, 1
	config.KeepFree = keepFreeBytes
	config.User.Network, config.User.Profile, config.User.Quota = "::/0", "default", "default"
	text, err := xml.MarshalIndent(config, "", "  ")
	if err != nil {
		return fmt.Errorf("engine configuration: %w", err)
	}
	if err := os.WriteFile(configPath(c.Dir), text, 0o600); err != nil {
		return fmt.Errorf("engine configuration: %w", err)
	}
	return nil
}
