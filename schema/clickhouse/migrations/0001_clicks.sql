-- Every hit, as it was received and judged. One row is one record of a node's
-- spool: (node, seq) names it. Times are UTC. Empty text means unknown or none.
CREATE TABLE IF NOT EXISTS clicks
(
    click_id          String CODEC(ZSTD(1)),
    time              DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    advertiser_id     LowCardinality(String),
    campaign_id       LowCardinality(String),
    creator_id        LowCardinality(String),
    task_id           LowCardinality(String),
    link_id           LowCardinality(String),
    post_id           LowCardinality(String),
    platform          LowCardinality(String),
    currency          LowCardinality(String) COMMENT 'the campaign''s',
    observed_platform LowCardinality(String) COMMENT 'from referrer and in-app user agent',
    verdict           LowCardinality(String) COMMENT 'valid test probe prefetch preview bot datacenter rate',
    reasons           Array(LowCardinality(String)),
    rules_version     UInt32,
    is_unique         UInt8,
    first_verdict     LowCardinality(String) COMMENT 'as the tracker judged it, of a hit that was judged again',
    first_unique      UInt8 COMMENT 'is_unique as the shipper decided it, of a hit that was judged again',
    method            LowCardinality(String),
    destination       String CODEC(ZSTD(1)),
    rule              LowCardinality(String),
    country           LowCardinality(String),
    region            LowCardinality(String),
    city              LowCardinality(String),
    asn               UInt32,
    asn_org           LowCardinality(String),
    network           String COMMENT 'truncated address, 203.0.113.0/24' CODEC(ZSTD(1)),
    visitor           UInt64 COMMENT 'keyed hash, 0 = none',
    user_agent        String CODEC(ZSTD(3)),
    device            LowCardinality(String),
    os                LowCardinality(String),
    os_version        LowCardinality(String),
    browser           LowCardinality(String),
    browser_version   LowCardinality(String),
    in_app            UInt8,
    referrer_host     LowCardinality(String),
    language          LowCardinality(String),
    sub1              String CODEC(ZSTD(1)),
    sub2              String CODEC(ZSTD(1)),
    sub3              String CODEC(ZSTD(1)),
    sub4              String CODEC(ZSTD(1)),
    sub5              String CODEC(ZSTD(1)),
    unpayable         LowCardinality(String) COMMENT 'why it cannot earn',
    gpc               UInt8,
    erased            UInt8 COMMENT '1: what was about a person is gone',
    node              LowCardinality(String),
    seq               UInt64 CODEC(Delta, ZSTD(1)),
    shipped_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX clicks_time time TYPE minmax GRANULARITY 1,
    INDEX clicks_seq seq TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (advertiser_id, campaign_id, link_id, time)
SETTINGS
    index_granularity = 8192,
    min_bytes_for_wide_part = 134217728,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    ttl_only_drop_parts = 1;

-- Clicks summed by quarter of an hour, so that days are exact in every time
-- zone. Rows of one key are added up on reading: always sum(). Hits that were judged
-- again add a row of differences (reclassify_sums.sql): its unsigned numbers are
-- modulo 2^64, as sums of them are, which are exact therefore.
CREATE TABLE IF NOT EXISTS clicks_15m
(
    bucket             DateTime('UTC') COMMENT 'start of the 15 minutes' CODEC(Delta, ZSTD(1)),
    advertiser_id      LowCardinality(String),
    campaign_id        LowCardinality(String),
    creator_id         LowCardinality(String),
    task_id            LowCardinality(String),
    link_id            LowCardinality(String),
    post_id            LowCardinality(String),
    platform           LowCardinality(String),
    currency           LowCardinality(String) COMMENT 'the campaign''s',
    hits               UInt64,
    clicks             UInt64 COMMENT 'valid',
    unique_clicks      UInt64 COMMENT 'valid and unique',
    platform_mismatch  UInt64 COMMENT 'valid, and seen to come from another platform',
    invalid_test       UInt64,
    invalid_probe      UInt64,
    invalid_prefetch   UInt64,
    invalid_preview    UInt64,
    invalid_bot        UInt64,
    invalid_datacenter UInt64,
    invalid_rate       UInt64,
    corrected          SimpleAggregateFunction(max, UInt64) COMMENT 'the last step of judging hits again that is in here'
)
ENGINE = SummingMergeTree((hits, clicks, unique_clicks, platform_mismatch, invalid_test, invalid_probe, invalid_prefetch,
    invalid_preview, invalid_bot, invalid_datacenter, invalid_rate, corrected))
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (advertiser_id, campaign_id, bucket)
ORDER BY (advertiser_id, campaign_id, bucket, creator_id, task_id, link_id, post_id, platform, currency)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS clicks_15m_mv TO clicks_15m AS
SELECT
    toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket,
    advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, platform, currency,
    count() AS hits,
    countIf(verdict = 'valid') AS clicks,
    countIf(verdict = 'valid' AND is_unique = 1) AS unique_clicks,
    countIf(verdict = 'valid' AND observed_platform != '' AND observed_platform != platform) AS platform_mismatch,
    countIf(verdict = 'test') AS invalid_test,
    countIf(verdict = 'probe') AS invalid_probe,
    countIf(verdict = 'prefetch') AS invalid_prefetch,
    countIf(verdict = 'preview') AS invalid_preview,
    countIf(verdict = 'bot') AS invalid_bot,
    countIf(verdict = 'datacenter') AS invalid_datacenter,
    countIf(verdict = 'rate') AS invalid_rate
FROM clicks
GROUP BY bucket, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, platform, currency;

-- The same without creator, task, link and post, for what is asked most: a
-- fraction of the rows where campaigns have many links.
CREATE TABLE IF NOT EXISTS campaign_clicks_15m
(
    bucket             DateTime('UTC') COMMENT 'start of the 15 minutes' CODEC(Delta, ZSTD(1)),
    advertiser_id      LowCardinality(String),
    campaign_id        LowCardinality(String),
    platform           LowCardinality(String),
    currency           LowCardinality(String) COMMENT 'the campaign''s',
    hits               UInt64,
    clicks             UInt64 COMMENT 'valid',
    unique_clicks      UInt64 COMMENT 'valid and unique',
    platform_mismatch  UInt64 COMMENT 'valid, and seen to come from another platform',
    invalid_test       UInt64,
    invalid_probe      UInt64,
    invalid_prefetch   UInt64,
    invalid_preview    UInt64,
    invalid_bot        UInt64,
    invalid_datacenter UInt64,
    invalid_rate       UInt64,
    corrected          SimpleAggregateFunction(max, UInt64) COMMENT 'the last step of judging hits again that is in here'
)
ENGINE = SummingMergeTree((hits, clicks, unique_clicks, platform_mismatch, invalid_test, invalid_probe, invalid_prefetch,
    invalid_preview, invalid_bot, invalid_datacenter, invalid_rate, corrected))
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (advertiser_id, campaign_id, bucket)
ORDER BY (advertiser_id, campaign_id, bucket, platform, currency)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS campaign_clicks_15m_mv TO campaign_clicks_15m AS
SELECT
    toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket,
    advertiser_id, campaign_id, platform, currency,
    count() AS hits,
    countIf(verdict = 'valid') AS clicks,
    countIf(verdict = 'valid' AND is_unique = 1) AS unique_clicks,
    countIf(verdict = 'valid' AND observed_platform != '' AND observed_platform != platform) AS platform_mismatch,
    countIf(verdict = 'test') AS invalid_test,
    countIf(verdict = 'probe') AS invalid_probe,
    countIf(verdict = 'prefetch') AS invalid_prefetch,
    countIf(verdict = 'preview') AS invalid_preview,
    countIf(verdict = 'bot') AS invalid_bot,
    countIf(verdict = 'datacenter') AS invalid_datacenter,
    countIf(verdict = 'rate') AS invalid_rate
FROM clicks
GROUP BY bucket, advertiser_id, campaign_id, platform, currency;
