-- The hits that a step of judging hits again changes: before anything is changed,
-- what is to change lies here. A step is one insert, whole or not there, and its
-- partition is dropped when it is done.
CREATE TABLE IF NOT EXISTS click_changes
(
    step              UInt64 COMMENT 'numbered across runs',
    node              LowCardinality(String),
    seq               UInt64,
    click_id          String,
    time              DateTime64(3, 'UTC'),
    advertiser_id     LowCardinality(String),
    campaign_id       LowCardinality(String),
    creator_id        LowCardinality(String),
    task_id           LowCardinality(String),
    link_id           LowCardinality(String),
    post_id           LowCardinality(String),
    platform          LowCardinality(String),
    currency          LowCardinality(String),
    mismatch          UInt8 COMMENT 'seen to come from another platform',
    old_verdict       LowCardinality(String),
    old_unique        UInt8,
    new_verdict       LowCardinality(String),
    new_unique        UInt8,
    outcome           UInt16 COMMENT 'which of the step''s new reasons and uniqueness'
)
ENGINE = MergeTree
PARTITION BY step
ORDER BY (step, outcome, node, seq)
SETTINGS
    index_granularity = 8192,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
