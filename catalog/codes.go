package catalog

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// CodeCodeTaken says that the advertiser has, or had, the referral code already.
const CodeCodeTaken = "code_taken"

// CodeFields are what a client writes of a referral code.
type CodeFields struct {
	Code     string               `json:"code,omitempty" doc:"2 to 64 of A-Z a-z 0-9 _ - . in any case; made when absent, from the campaign's pool when it has one" example:"MALI10"`
	StartsAt *attribution.Instant `json:"starts_at,omitempty" doc:"Earns from then on; from the beginning by default"`
	EndsAt   *attribution.Instant `json:"ends_at,omitempty" doc:"Earns until then; for ever by default"`
}

// A Code is a referral code of one task: a shopper who uses it is the creator's.
// It is the advertiser's for ever, also after it was deleted.
type Code struct {
	Frame
	CodeFields
	TaskID       string `json:"task_id"`
	CampaignID   string `json:"campaign_id"`
	CreatorID    string `json:"creator_id"`
	AdvertiserID string `json:"advertiser_id"`
	Platform     string `json:"platform"`
}

// A CodeFilter narrows a list of codes.
type CodeFilter struct {
	Code         string // in any case
	TaskID       string
	CampaignID   string
	CreatorID    string
	AdvertiserID string
	Platform     string
}

const (
	// codeAlphabet has neither characters that look alike (0 O, 1 I L, U V, 2 Z, 5 S)
	// nor vowels, so that no made code is a word.
	codeAlphabet  = "346789BCDFGHJKMNPQRTVWXY"
	codeLength    = 8
	minCode       = 2
	maxCode       = 64
	codeAttempts  = 8 // of ten million codes one draw in 11,000 is taken
	codeSpecials  = "_-."
	codeDelimiter = "-" // between the halves of a made code, for people who read it out
)

func (f CodeFields) check(c *fieldCheck) {
	c.Require(f.Code == "" || validCode(f.Code), "body.code", "must be %d to %d of A-Z a-z 0-9 _ - .", minCode, maxCode)
	c.Require(f.StartsAt == nil || f.EndsAt == nil || *f.EndsAt > *f.StartsAt, "body.ends_at", "must be later than starts_at")
}

func validCode(code string) bool {
	return len(code) >= minCode && len(code) <= maxCode && strings.Trim(code, base62+codeSpecials) == ""
}

// CreateCode makes a code for a task: the one that is given, else the next of the
// campaign's pool, else a random one. A creator makes them for its own tasks.
func (c *Catalog) CreateCode(ctx context.Context, scope Scope, taskID string, fields CodeFields) (Code, error) {
	var made Code
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		room, err := c.linkRoom(ctx, scope, taskID)
		if err != nil {
			return err
		}
		if err := room.refusal(scope); err != nil {
			return err
		}
		var check fieldCheck
		fields.Code = strings.TrimSpace(fields.Code)
		fields.check(&check)
		if err := check.Err(); err != nil {
			return err
		}
		id, err := c.newID(attribution.PrefixCode, w.at)
		if err != nil {
			return err
		}
		made = Code{
			Frame: Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}, CodeFields: fields, TaskID: taskID, CampaignID: room.campaignID,
			CreatorID: room.creatorID, AdvertiserID: room.advertiserID, Platform: room.platform,
		}
		if err := w.nameCode(ctx, &made); err != nil {
			return err
		}
		return w.audit(ctx, "create", "code", id, room.advertiserID, nil)
	})
	if err != nil {
		return Code{}, err
	}
	return made, nil
}

// nameCode writes a code under the name it is to have.
func (w *writing) nameCode(ctx context.Context, k *Code) error {
	pool, err := w.codePool(ctx, k.CampaignID)
	switch {
	case err != nil:
		return err
	case pool.Total > 0:
		return w.takeFromPool(ctx, k, pool)
	case k.Code != "":
		return w.insertCode(ctx, k)
	}
	for range codeAttempts {
		characters, err := w.c.entropy.text(codeAlphabet, codeLength)
		if err != nil {
			return err
		}
		k.Code = characters[:codeLength/2] + codeDelimiter + characters[codeLength/2:]
		err = w.insertCode(ctx, k)
		if problem, refused := attribution.AsProblem(err); !refused || problem.Code != CodeCodeTaken {
			return err
		}
	}
	return errors.New("catalog: as many random codes in a row were taken as may be tried")
}

// insertCode writes a code that is in no pool, unless the advertiser has it.
func (w *writing) insertCode(ctx context.Context, k *Code) error {
	var taken bool
	if err := w.Row(ctx, "code.taken", k.AdvertiserID, strings.ToLower(k.Code)).Scan(&taken); err != nil {
		return err
	}
	if taken {
		return attribution.Refuse(CodeCodeTaken, "the advertiser has the code %q already, now or formerly (codes are compared without regard to case)", k.Code)
	}
	return w.writeCode(ctx, k)
}

func (w *writing) writeCode(ctx context.Context, k *Code) error {
	_, err := w.Exec(ctx, "code.insert", k.ID, k.Code, k.TaskID, k.CampaignID, k.CreatorID, k.AdvertiserID, k.Platform,
		orZero(k.StartsAt), orZero(k.EndsAt), int64(w.at))
	return err
}

// Code finds a code.
func (c *Catalog) Code(ctx context.Context, scope Scope, id string) (Code, error) {
	found, err := scanCode(c.db.Row(ctx, "code.by_id", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(found.AdvertiserID, found.CreatorID) {
		return Code{}, notFound("code", id)
	}
	return found, err
}

// Codes lists the codes that are not deleted.
func (c *Catalog) Codes(ctx context.Context, scope Scope, filter CodeFilter, p Page) (List[Code], error) {
	given := database.Given{
		"code": strings.ToLower(filter.Code), "task_id": filter.TaskID, "campaign_id": filter.CampaignID, "creator_id": filter.CreatorID,
		"advertiser_id": filter.AdvertiserID, "platform": filter.Platform,
	}
	if !scope.limitOwned(given) {
		return List[Code]{Items: []Code{}}, nil
	}
	given.Narrow("task_id", "creator_id", "campaign_id", "advertiser_id")
	return page(ctx, c.db, "code.list", given, p, byID(attribution.PrefixCode), scanCode, func(k Code) string { return k.ID })
}

// PatchCode applies a merge patch. Only the dates of a code can change: the code
// itself is out in the world.
func (c *Catalog) PatchCode(ctx context.Context, scope Scope, id string, patch []byte) (Code, error) {
	var now Code
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Code(ctx, scope, id)
		if err != nil {
			return err
		}
		if was.ArchivedAt != nil {
			return conflict("code %s is deleted", id)
		}
		fields, changed, err := merge(was.CodeFields, patch)
		if now = was; err != nil || len(changed) == 0 {
			return err
		}
		var check fieldCheck
		frozen(&check.Checker, changed, "make another code instead", "code")
		fields.check(&check)
		if err := check.Err(); err != nil {
			return err
		}
		now.CodeFields, now.UpdatedAt = fields, w.at
		if _, err := w.Exec(ctx, "code.update", id, orZero(fields.StartsAt), orZero(fields.EndsAt), int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "update", "code", id, was.AdvertiserID, changed)
	})
	return now, err
}

// DeleteCode ends a code: it earns for nothing that happens from now on. It is
// never given to another task.
func (c *Catalog) DeleteCode(ctx context.Context, scope Scope, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Code(ctx, scope, id)
		if err != nil || was.ArchivedAt != nil {
			return err
		}
		if _, err := w.Exec(ctx, "code.delete", id, int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "delete", "code", id, was.AdvertiserID, nil)
	})
}

func scanCode(row scanner) (Code, error) {
	var k Code
	var starts, ends int64
	err := scanFrame(row, &k.Frame, &k.Code, &k.TaskID, &k.CampaignID, &k.CreatorID, &k.AdvertiserID, &k.Platform, &starts, &ends)
	k.StartsAt, k.EndsAt = attribution.InstantOrNil(starts), attribution.InstantOrNil(ends)
	return k, err
}
