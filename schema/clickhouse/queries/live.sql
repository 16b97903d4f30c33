-- Hits that were stored since positions in the nodes' logs, newest first of each
-- node. So many of one advertiser at most, so that a loud one hides no quiet one.
-- A template like performance.sql.
SELECT
    click_id, time, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, platform, observed_platform,
    verdict, reasons, rules_version, is_unique, method, destination, rule, country, region, city, asn, asn_org, network,
    device, os, os_version, browser, browser_version, in_app, referrer_host, language, sub1, sub2, sub3, sub4, sub5,
    unpayable, gpc, node, seq
FROM clicks
WHERE time >= {since:DateTime64(3, 'UTC')}
    AND seq > {seqs:Array(UInt64)}[indexOf({nodes:Array(String)}, node)]
    {{- range .Conditions}}
    AND {{.}}
    {{- end}}
ORDER BY shipped_at DESC, node, seq DESC
LIMIT {{.Each}} BY node, advertiser_id
LIMIT {{.Limit}}
