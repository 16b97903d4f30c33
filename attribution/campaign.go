package attribution

// A CampaignState is the part of a campaign its status follows from. Times are
// milliseconds since the Unix epoch; the campaign runs in [StartsAtMs, EndsAtMs).
type CampaignState struct {
	Approved   bool
	Paused     bool
	Closed     bool
	OverBudget bool
	StartsAtMs int64
	EndsAtMs   int64
}

// The campaign statuses. A status is derived, never set.
const (
	StatusDraft      = "draft"
	StatusUpcoming   = "upcoming"
	StatusOngoing    = "ongoing"
	StatusOverBudget = "over_budget"
	StatusFinished   = "finished"
	StatusPaused     = "paused"
	StatusClosed     = "closed"
)

// Status derives the campaign's status at a time. What a person did by hand
// (closed, paused) stands before what the calendar says.
func (s CampaignState) Status(atMs int64) string {
	switch {
	case s.Closed:
		return StatusClosed
	case !s.Approved:
		return StatusDraft
	case atMs >= s.EndsAtMs:
		return StatusFinished
	case s.Paused:
		return StatusPaused
	case atMs < s.StartsAtMs:
		return StatusUpcoming
	case s.OverBudget:
		return StatusOverBudget
	default:
		return StatusOngoing
	}
}

// Unpayable says why a click cannot earn although it was redirected.
type Unpayable uint8

const (
	Payable Unpayable = iota
	CampaignNotStarted
	CampaignEnded
	CampaignDraft
	CampaignPaused
	CampaignClosed
	LinkExpired
	unpayableCount
)

var unpayableNames = [unpayableCount]string{
	"", "campaign_not_started", "campaign_ended", "campaign_draft", "campaign_paused", "campaign_closed", "link_expired",
}

// String is the reason's name on a click and in a trace; empty when payable.
func (u Unpayable) String() string {
	if u >= unpayableCount {
		return "unknown"
	}
	return unpayableNames[u]
}

// Unpayable says why a touch at a time cannot earn in this campaign, or Payable.
// A campaign over budget still credits: its actions are held.
func (s CampaignState) Unpayable(atMs int64) Unpayable {
	switch {
	case atMs < s.StartsAtMs:
		return CampaignNotStarted
	case atMs >= s.EndsAtMs:
		return CampaignEnded
	case !s.Approved:
		return CampaignDraft
	case s.Paused:
		return CampaignPaused
	case s.Closed:
		return CampaignClosed
	default:
		return Payable
	}
}
