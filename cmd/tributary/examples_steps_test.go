package main

// An exampleStep is one request of the story the examples tell. Most operations
// need a line such as
//
//	{op: "get-task", path: "/v1/tasks/$task"},
//	{op: "create-task", path: "/v1/tasks", body: `{"campaign_id":"$campaign", …}`, keep: "task"},
//
// put where the story has what they need; what is taken away goes to the end. The
// clock stands still and moves a minute before everything but a GET; it begins long
// ago, and no time here may be later than 2026-07, so that the machine's own times
// are told from the story's. $name is what an earlier step kept.
type exampleStep struct {
	op    string // the operation; none: a POST that only prepares what follows, or with clock alone nothing but time
	path  string // under /v1, with its query; under /t it is sent to the tracker
	body  string
	keep  string // fields of the answer for later steps: "task" is its id, "key=key" its key, "first=items.0.id" deeper
	as    string // the kept key that asks; the admin's by default
	clock string // how far time moves on before

	mediaType string       // of the body; JSON, or a merge patch for PATCH, by default
	until     string       // asked again until the answer, without spaces between its parts, has this in it
	during    *exampleStep // played while a stream is open
	prepares  bool         // is not this operation's example
}

var exampleSteps = []exampleStep{
	{op: "move-sandbox-clock", path: "/v1/sandbox/clock", body: `{"set":"2026-03-03T02:00:00Z"}`},
	{op: "get-sandbox-clock", path: "/v1/sandbox/clock"},
	{op: "get-me", path: "/v1/me"},

	// An advertiser, and what it reports with.
	{op: "create-advertiser", path: "/v1/advertisers", body: `{"name":"Acme Shoes","currency":"USD","timezone":"Asia/Bangkok","domains":["acme.example"],"min_payout":"10.00"}`, keep: "advertiser"},
	{op: "patch-advertiser", path: "/v1/advertisers/$advertiser", body: `{"domains":["acme.example","acme-outlet.example"],"fraud_rules":{"time_to_sale":{"action":"flag","threshold":90}}}`},
	{op: "get-advertiser", path: "/v1/advertisers/$advertiser"},
	{op: "list-advertisers", path: "/v1/advertisers?q=acme"},
	{op: "create-key", path: "/v1/keys", body: `{"role":"ingest","advertiser_id":"$advertiser","name":"shop server"}`, keep: "ingest_key=key key"},
	{op: "patch-key", path: "/v1/keys/$key", body: `{"expires_at":"2026-07-01T00:00:00Z"}`},
	{op: "get-key", path: "/v1/keys/$key"},
	{op: "list-keys", path: "/v1/keys?advertiser_id=$advertiser"},
	{op: "create-secret", path: "/v1/advertisers/$advertiser/secrets", body: `{"kind":"hmac","name":"shop server"}`, keep: "secret"},
	{op: "list-secrets", path: "/v1/advertisers/$advertiser/secrets"},
	{op: "set-fx-rates", path: "/v1/fx-rates", body: `{"items":[{"day":"2026-03-03","base":"EUR","quote":"USD","rate":"1.0842"},{"day":"2026-03-03","base":"THB","quote":"USD","rate":"0.0287"}]}`},
	{op: "list-fx-rates", path: "/v1/fx-rates?day=2026-03-03"},

	// A campaign and the creator who works in it.
	{op: "create-creator", path: "/v1/creators", body: `{"name":"Mali S.","email":"mali@creators.example","country":"TH","categories":["fashion"],"labels":["spring"],"timezone":"Asia/Bangkok","payout_details":{"bank":"Example Bank","account":"0012345678"},"socials":[{"platform":"tiktok","handle":"mali","followers":48200}]}`, keep: "creator"},
	{op: "patch-creator", path: "/v1/creators/$creator", body: `{"birth_year":1998,"socials":[{"platform":"tiktok","handle":"mali","followers":51700}]}`},
	{op: "get-creator", path: "/v1/creators/$creator"},
	{op: "list-creators", path: "/v1/creators?label=spring"},
	{op: "create-creator", path: "/v1/creators", body: `{"name":"Ann B.","country":"VN"}`, keep: "other_creator"},
	{op: "create-terms-template", path: "/v1/terms-templates", body: `{"name":"Ten per cent","terms":{"events":{"sale":{"type":"percent","rate":"0.10"},"lead":{"type":"flat","amount":"2.00"}},"groups":[{"rank":1,"match":{"category":["boots"]},"payout":{"type":"percent","rate":"0.15"}}],"lock":{"basis":"day","months":0,"days":14},"pay":{"basis":"month","months":0,"days":5},"code_policy":"always","model":"last"}}`, keep: "template"},
	{op: "patch-terms-template", path: "/v1/terms-templates/$template", body: `{"name":"Ten per cent, boots fifteen"}`},
	{op: "get-terms-template", path: "/v1/terms-templates/$template"},
	{op: "list-terms-templates", path: "/v1/terms-templates"},
	{op: "create-campaign", path: "/v1/campaigns", body: `{"advertiser_id":"$advertiser","title":"Spring boots","kind":"url","platforms":["tiktok","instagram"],"starts_at":"2026-03-01T00:00:00+07:00","ends_at":"2026-06-01T00:00:00+07:00","destination":"https://acme.example/spring?ref=creators","terms_template_id":"$template","budget":{"amount":"5000.00","mode":"hard"},"margin_rate":"0.20","cost_per":{"post":"20.00","like":"0.01"},"track_posts":true,"multi_post":true,"visibility":"open","approval":"manual","eligibility":{"countries":["TH","VN"]}}`, keep: "campaign"},
	{op: "approve-campaign", path: "/v1/campaigns/$campaign/approve"},
	{op: "patch-campaign", path: "/v1/campaigns/$campaign", body: `{"description":"Show the boots outdoors","budget":{"amount":"6000.00","mode":"hard"}}`},
	{op: "get-campaign", path: "/v1/campaigns/$campaign"},
	{op: "list-campaigns", path: "/v1/campaigns?status=ongoing&platform=tiktok"},
	{op: "pause-campaign", path: "/v1/campaigns/$campaign/pause"},
	{op: "resume-campaign", path: "/v1/campaigns/$campaign/resume"},
	{op: "add-creator", path: "/v1/campaigns/$campaign/creators", body: `{"creator_id":"$creator"}`},
	{op: "patch-campaign-creator", path: "/v1/campaigns/$campaign/creators/$creator", body: `{"tier":"preferred","terms_override":{"events":{"sale":{"type":"percent","rate":"0.12"}}}}`},
	{op: "get-campaign-creator", path: "/v1/campaigns/$campaign/creators/$creator"},
	{op: "invite-creators", path: "/v1/campaigns/$campaign/invitations", body: `{"label":"spring","creator_ids":["$other_creator"]}`},
	{op: "list-campaign-creators", path: "/v1/campaigns/$campaign/creators?status=joined"},
	{op: "create-key", path: "/v1/keys", body: `{"role":"creator","creator_id":"$creator"}`, keep: "creator_key=key"},
	{op: "create-webhook", path: "/v1/webhooks", body: `{"advertiser_id":"$advertiser","url":"$receiver/tributary","events":["conversion.*","action.*","payout.*"],"description":"Order system"}`, keep: "webhook"},
	{op: "patch-webhook", path: "/v1/webhooks/$webhook", body: `{"events":["conversion.*","payout.*"]}`},
	{op: "ping-webhook", path: "/v1/webhooks/$webhook/ping"},
	{op: "rotate-webhook-secret", path: "/v1/webhooks/$webhook/rotate", body: `{"overlap_hours":24}`},
	{op: "get-webhook", path: "/v1/webhooks/$webhook"},
	{op: "list-webhooks", path: "/v1/webhooks?advertiser_id=$advertiser"},
	{op: "create-task", path: "/v1/tasks", body: `{"campaign_id":"$campaign","creator_id":"$creator","platform":"tiktok","title":"One video with the boots","fee":"150.00","due_at":"2026-03-23T17:00:00Z"}`, keep: "task"},
	{op: "patch-task", path: "/v1/tasks/$task", body: `{"title":"One video, boots outdoors"}`},
	{op: "get-task", path: "/v1/tasks/$task"},
	{op: "list-tasks", path: "/v1/tasks?campaign_id=$campaign"},

	// Links and codes.
	{op: "create-link", path: "/v1/tasks/$task/links", body: `{"sub1":"bio","label":"Profile link"}`, keep: "link"},
	{op: "patch-link", path: "/v1/links/$link", body: `{"destination":"https://acme.example/spring/boots?ref=creators"}`},
	{op: "get-link", path: "/v1/links/$link"},
	{op: "create-links", path: "/v1/links/bulk", body: `{"items":[{"task_id":"$task","slug":"mali-boots"},{"task_id":"$task","slug":"no spaces"}]}`, keep: "vanity=results.0.link.id"},
	{op: "list-links", path: "/v1/links?task_id=$task&limit=1"},
	{op: "get-link-qr-svg", path: "/v1/links/$vanity/qr.svg"},
	{op: "get-link-qr-png", path: "/v1/links/$vanity/qr.png?scale=8"},
	{op: "create-code", path: "/v1/tasks/$task/codes", body: `{"code":"MALI10"}`, keep: "code"},
	{op: "patch-code", path: "/v1/codes/$code", body: `{"ends_at":"2026-05-31T17:00:00Z"}`},
	{op: "get-code", path: "/v1/codes/$code"},
	{op: "list-codes", path: "/v1/codes?campaign_id=$campaign"},

	// Drafts, posts and what they were worth.
	{op: "create-draft", path: "/v1/tasks/$task/drafts", body: `{"text":"Rain? These boots do not mind.","asset_urls":["https://files.creators.example/boots-1.mp4"]}`, as: "creator_key", keep: "draft"},
	{op: "return-draft", path: "/v1/drafts/$draft/return", body: `{"reason":"Please name the model in the first seconds"}`},
	{op: "create-draft", path: "/v1/tasks/$task/drafts", body: `{"text":"Rain? The Acme Trail does not mind."}`, as: "creator_key", keep: "draft"},
	{op: "approve-draft", path: "/v1/drafts/$draft/approve"},
	{op: "get-draft", path: "/v1/drafts/$draft"},
	{op: "list-drafts", path: "/v1/drafts?status=approved"},
	{op: "list-task-drafts", path: "/v1/tasks/$task/drafts"},
	{op: "create-post", path: "/v1/tasks/$task/posts", body: `{"url":"https://www.tiktok.com/@mali/video/7301234567890123456"}`, as: "creator_key", keep: "post"},
	{op: "patch-post", path: "/v1/posts/$post", body: `{"status":"effective"}`},
	{op: "create-post-metrics", path: "/v1/posts/$post/metrics", body: `{"views":18250,"likes":1240,"shares":87,"comments":45}`},
	{op: "list-post-metrics", path: "/v1/posts/$post/metrics"},
	{op: "get-post", path: "/v1/posts/$post"},
	{op: "list-posts", path: "/v1/posts?campaign_id=$campaign&status=effective"},

	// Clicks and the orders they led to.
	{op: "make-sample-click", path: "/v1/sandbox/click", body: `{"link_id":"$link"}`, keep: "click=click_id"},
	{op: "get-click", path: "/v1/clicks/$click", until: `"device":"phone"`},
	{op: "list-clicks", path: "/v1/clicks?link_id=$link"},
	{op: "make-sample-conversion", path: "/v1/sandbox/conversion", body: `{"advertiser_id":"$advertiser","event":"sale","order_id":"1001","amount":"129.00","currency":"USD","tax":"9.00","click_id":"$click"}`, keep: "conversion=conversion_id"},
	{path: "/t/conversions?wait=5s", as: "ingest_key", body: `{"event":"sale","order_id":"1002","amount":"80.00","currency":"USD","code":"mali10"}`},
	{path: "/t/conversions?wait=5s", as: "ingest_key", body: `{"event":"sale","order_id":"1003","amount":"64.50","currency":"USD","click_id":"$click"}`},
	{path: "/t/conversions?wait=5s", as: "ingest_key", body: `{"event":"sale","order_id":"1004","amount":"210.00","currency":"USD","click_id":"$click"}`},
	{path: "/t/conversions?wait=5s", as: "ingest_key", body: `{"event":"sale","order_id":"1005","amount":"99.00","currency":"USD","customer_id":"c-2231"}`},
	{path: "/t/conversions?wait=5s", body: `{"event":"sale","order_id":"1002","amount":"85.00","currency":"USD"}`, as: "ingest_key"},
	{op: "import-conversions", path: "/v1/conversions/import?advertiser_id=$advertiser&dry_run=true", mediaType: "text/csv",
		body: "event,order_id,amount,currency,code\nsale,2001,45.00,USD,MALI10\nsale,2002,12.5O,USD,MALI10\n"},
	{op: "get-conversion", path: "/v1/conversions/$conversion"},
	{op: "explain-conversion", path: "/v1/conversions/$conversion/explain"},
	{op: "list-conversions", path: "/v1/conversions?order_id=1002"},
	{op: "list-quarantine", path: "/v1/quarantine?advertiser_id=$advertiser", keep: "quarantined=items.0.id"},
	{op: "replay-quarantine", path: "/v1/quarantine/replay", body: `{"ids":["$quarantined"]}`},
	{op: "list-integrations", path: "/v1/integrations?advertiser_id=$advertiser", until: `order_conflict`},
	{op: "list-webhook-deliveries", path: "/v1/webhooks/$webhook/deliveries?event_type=conversion.unattributed", until: `"state":"delivered"`, keep: "delivery=items.0.id"},
	{op: "get-webhook-delivery", path: "/v1/webhooks/$webhook/deliveries/$delivery"},
	{op: "replay-webhook-delivery", path: "/v1/webhooks/$webhook/deliveries/$delivery/replay"},
	{op: "replay-webhook", path: "/v1/webhooks/$webhook/replay", body: `{"from":"2026-03-01T00:00:00Z","to":"2026-03-08T00:00:00Z","state":"failed"}`},
	{op: "live", path: "/v1/live?campaign_id=$campaign&events=click", during: &exampleStep{path: "/v1/sandbox/click", body: `{"link_id":"$vanity"}`}},

	// What was earned, and what is done about it.
	{op: "list-actions", path: "/v1/actions?order_id=1001", keep: "action=items.0.id"},
	{op: "list-actions", path: "/v1/actions?order_id=1002", keep: "second=items.0.id"},
	{op: "list-actions", path: "/v1/actions?order_id=1003", keep: "third=items.0.id"},
	{op: "list-actions", path: "/v1/actions?order_id=1004", keep: "fourth=items.0.id"},
	{op: "get-action", path: "/v1/actions/$action"},
	{op: "explain-action", path: "/v1/actions/$action/explain"},
	{op: "list-fraud-signals", path: "/v1/fraud-signals?advertiser_id=$advertiser&order_id=1001"},
	{op: "hold-action", path: "/v1/actions/$third/hold", body: `{"note":"The address is a parcel locker: asked the shop"}`},
	{op: "release-action", path: "/v1/actions/$third/release", body: `{"note":"The shop confirms the order"}`},
	{op: "adjust-action", path: "/v1/actions/$second/adjust", body: `{"amount":"60.00","reason":"One pair was sent back"}`},
	{op: "reverse-action", path: "/v1/actions/$fourth/reverse", body: `{"reason":"returned"}`},
	{op: "approve-action", path: "/v1/actions/$action/approve"},
	{op: "list-action-history", path: "/v1/actions/$action/history"},
	{op: "reclassify-clicks", path: "/v1/clicks/reclassify", body: `{"from":"2026-03-03T00:00:00Z","to":"2026-03-04T00:00:00Z"}`, keep: "reclassification"},
	{op: "get-reclassification", path: "/v1/reclassifications/$reclassification", until: `"state":"done"`},
	{op: "list-reclassifications", path: "/v1/reclassifications"},
	{op: "replay-attribution", path: "/v1/attribution/replay", body: `{"advertiser_id":"$advertiser","from":"2026-03-03T00:00:00Z","to":"2026-03-04T00:00:00Z","model":"first"}`},
	{op: "create-inquiry", path: "/v1/inquiries", body: `{"task_id":"$task","order_id":"1005","date":"2026-03-03T02:30:00Z","amount":"99.00","currency":"USD","evidence":"A follower sent me the receipt"}`, as: "creator_key", keep: "inquiry"},
	{op: "approve-inquiry", path: "/v1/inquiries/$inquiry/approve", body: `{"note":"The shop found the order"}`},
	{op: "create-inquiry", path: "/v1/inquiries", body: `{"task_id":"$task","order_id":"1999","date":"2026-03-03T02:30:00Z","amount":"30.00","currency":"USD"}`, as: "creator_key", keep: "other_inquiry"},
	{op: "reject-inquiry", path: "/v1/inquiries/$other_inquiry/reject", body: `{"reason":"The shop has no such order"}`},
	{op: "get-inquiry", path: "/v1/inquiries/$inquiry"},
	{op: "list-inquiries", path: "/v1/inquiries?state=approved"},
	{op: "pay-task", path: "/v1/tasks/$task/pay", body: `{"amount":"50.00"}`},
	{op: "patch-task", path: "/v1/tasks/$task", body: `{"status":"approved"}`},
	{op: "pay-creator", path: "/v1/campaigns/$campaign/creators/$creator/pay"},

	// Figures, once everything above is in them.
	{op: "report-campaigns", path: "/v1/reports/campaigns?from=2026-03-03&to=2026-03-04&tz=Asia/Bangkok", until: `"posts":1`, prepares: true},
	{op: "report-campaigns", path: "/v1/reports/campaigns?from=2026-03-03&to=2026-03-04&tz=Asia/Bangkok", until: `"task_payout":"150.00"`},
	{op: "report-columns", path: "/v1/reports/columns"},
	{op: "report-platforms", path: "/v1/reports/platforms?from=2026-03-03&to=2026-03-04&tz=Asia/Bangkok"},
	{op: "report-performance", path: "/v1/reports/performance?group_by=creator,event&from=2026-03-03&to=2026-03-04&tz=Asia/Bangkok&sort=-payout&limit=2"},

	{op: "report-actions", path: "/v1/reports/actions?from=2026-03-03&to=2026-03-04&tz=Asia/Bangkok&event=sale&limit=2", until: `"order_id":"1005"`},
	{op: "report-funnel", path: "/v1/reports/funnel?from=2026-03-03&to=2026-03-04&tz=Asia/Bangkok&campaign_id=$campaign"},
	{op: "report-models", path: "/v1/reports/models?from=2026-03-03&to=2026-03-04&tz=Asia/Bangkok&group_by=creator"},
	{op: "report-codes", path: "/v1/reports/codes?from=2026-03-03&to=2026-03-04&tz=Asia/Bangkok"},
	{op: "report-paths", path: "/v1/reports/paths?from=2026-03-03&to=2026-03-04&tz=Asia/Bangkok"},

	// The end of the month after next: everything is payable.
	{op: "create-payouts", path: "/v1/payouts", body: `{"advertiser_id":"$advertiser"}`, clock: "1400h", keep: "payout=items.0.id"},
	{op: "get-payout", path: "/v1/payouts/$payout"},
	{op: "pay-payout", path: "/v1/payouts/$payout/paid", body: `{"reference":"SEPA-2026-05-0042"}`},
	{op: "list-payouts", path: "/v1/payouts?advertiser_id=$advertiser"},
	{op: "get-creator-balance", path: "/v1/creators/$creator/balance", as: "creator_key"},
	{op: "list-creator-statement", path: "/v1/creators/$creator/statement?from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z&limit=3", as: "creator_key"},
	{op: "list-notifications", path: "/v1/notifications", as: "creator_key", until: `"payout.paid"`, keep: "notification=items.0.id"},
	{op: "read-notification", path: "/v1/notifications/$notification/read", as: "creator_key"},
	{op: "read-all-notifications", path: "/v1/notifications/read-all", as: "creator_key"},
	{op: "audit", path: "/v1/audit"},
	{op: "list-audit-log", path: "/v1/audit-log?thing=campaign&limit=3"},

	// A pool of codes that the shop made.
	{op: "create-campaign", path: "/v1/campaigns", body: `{"advertiser_id":"$advertiser","title":"Codes","kind":"code","platforms":["tiktok"],"starts_at":"2026-03-01T00:00:00Z","ends_at":"2026-06-30T00:00:00Z","destination":"https://acme.example/","terms_template_id":"$template"}`, keep: "codes_campaign"},
	{op: "fill-code-pool", path: "/v1/campaigns/$codes_campaign/code-pool", mediaType: "text/csv", body: "code\nBOOTS-7Q2K\nBOOTS-9XFA\n"},
	{op: "get-code-pool", path: "/v1/campaigns/$codes_campaign/code-pool"},

	// What is taken away.
	{op: "close-campaign", path: "/v1/campaigns/$codes_campaign/close"},
	{op: "archive-campaign", path: "/v1/campaigns/$codes_campaign"},
	{op: "delete-webhook", path: "/v1/webhooks/$webhook"},
	{op: "archive-link", path: "/v1/links/$vanity"},
	{op: "archive-code", path: "/v1/codes/$code"},
	{op: "create-post", path: "/v1/tasks/$task/posts", body: `{"url":"https://www.tiktok.com/@mali/video/7301234567890999999"}`, keep: "mistaken_post"},
	{op: "erase-person", path: "/v1/erasures", body: `{"advertiser_id":"$advertiser","customer_id":"c-2231","dry_run":true}`, prepares: true},
	{op: "erase-person", path: "/v1/erasures", body: `{"advertiser_id":"$advertiser","customer_id":"c-2231","dry_run":false}`, keep: "erasure", until: `"state":"done"`},
	{op: "get-erasure", path: "/v1/erasures/$erasure"},
	{op: "list-erasures", path: "/v1/erasures?advertiser_id=$advertiser"},
	{op: "archive-post", path: "/v1/posts/$mistaken_post"},
	{op: "archive-task", path: "/v1/tasks/$task"},
	{op: "archive-creator", path: "/v1/creators/$other_creator"},
	{op: "archive-terms-template", path: "/v1/terms-templates/$template"},
	{op: "archive-secret", path: "/v1/advertisers/$advertiser/secrets/$secret"},
	{op: "archive-key", path: "/v1/keys/$key"},
	{op: "archive-advertiser", path: "/v1/advertisers/$advertiser"},
}
