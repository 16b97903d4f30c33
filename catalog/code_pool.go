package catalog

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"tributary/attribution"
)

// CodeCodePoolEmpty says that every code of the campaign's pool was given out.
const CodeCodePoolEmpty = "code_pool_empty"

// MaxPoolLines is the most codes one upload has.
const MaxPoolLines = 100_000

// A CodePool is what a campaign has of codes that were made elsewhere. A campaign
// that was ever given any takes its codes from there alone.
type CodePool struct {
	CampaignID string `json:"campaign_id"`
	Total      int64  `json:"total" doc:"Codes that were uploaded"`
	Remaining  int64  `json:"remaining" doc:"Codes that nobody has yet"`
}

// fewCodes is how many codes are few in a pool of any size.
const fewCodes = 10

// low reports whether the pool has few codes left, or less than a tenth.
func (p CodePool) low() bool { return p.Remaining < fewCodes || 10*p.Remaining < p.Total }

// take is the pool with a code less; tell says whether that has made it low, or
// empty.
func (p CodePool) take() (left CodePool, tell bool) {
	left = p
	left.Remaining--
	return left, left.low() && !p.low() || left.Remaining == 0
}

// A PoolUpload says what became of an uploaded list of codes.
type PoolUpload struct {
	CodePool
	DryRun bool        `json:"dry_run" doc:"Nothing was changed"`
	Added  int64       `json:"added"`
	Errors []LineError `json:"errors" nullable:"false" doc:"Every line that was not taken"`
}

// A LineError says why a line of an upload was not taken.
type LineError struct {
	Line    int    `json:"line" doc:"From 1"`
	Code    string `json:"code" doc:"Stable: code_taken, or validation"`
	Message string `json:"message"`
}

func (w *writing) codePool(ctx context.Context, campaignID string) (CodePool, error) {
	pool := CodePool{CampaignID: campaignID}
	if err := w.Row(ctx, "code.pool_count", campaignID).Scan(&pool.Total, &pool.Remaining); err != nil {
		return pool, fmt.Errorf("catalog: reading a code pool: %w", err)
	}
	return pool, nil
}

// takeFromPool gives a code the oldest free name of the pool, or the one it asks
// for when that is free there. Writers take turns, so that no two get the same.
func (w *writing) takeFromPool(ctx context.Context, k *Code, pool CodePool) error {
	var number int64
	var err error
	if asked := k.Code; asked != "" {
		err = w.Row(ctx, "code.pool_find", k.CampaignID, strings.ToLower(asked)).Scan(&number, &k.Code)
		if errors.Is(err, sql.ErrNoRows) {
			return fieldProblem("body.code", "is not free in the campaign's pool, where its codes come from: leave it out to be given the next")
		}
	} else {
		err = w.Row(ctx, "code.pool_next", k.CampaignID).Scan(&number, &k.Code)
		if errors.Is(err, sql.ErrNoRows) {
			return attribution.Refuse(CodeCodePoolEmpty, "all %d codes of the campaign's pool are given out: upload more at /v1/campaigns/%s/code-pool", pool.Total, k.CampaignID)
		}
	}
	if err != nil {
		return fmt.Errorf("catalog: reading a code pool: %w", err)
	}
	if _, err := w.Exec(ctx, "code.pool_take", number, k.ID); err != nil {
		return err
	}
	if left, tell := pool.take(); tell {
		event := CodePoolEvent{CampaignID: k.CampaignID, AdvertiserID: k.AdvertiserID, Left: left.Remaining, Size: left.Total, At: w.at}
		if err := w.tell(ctx, OutboxCodePool, event); err != nil {
			return err
		}
	}
	return w.writeCode(ctx, k)
}

// CodePool is the pool of a campaign; one that has none is empty.
func (c *Catalog) CodePool(ctx context.Context, scope Scope, campaignID string) (CodePool, error) {
	row, err := c.campaignRow(ctx, scope, campaignID)
	if err != nil {
		return CodePool{}, err
	}
	if !scope.manages(row.AdvertiserID) {
		return CodePool{}, forbidden(scope, "see code pools")
	}
	pool := CodePool{CampaignID: campaignID}
	if err := c.db.Row(ctx, "code.pool_count", campaignID).Scan(&pool.Total, &pool.Remaining); err != nil {
		return pool, fmt.Errorf("catalog: reading a code pool: %w", err)
	}
	return pool, nil
}

// errDryRun takes back what a dry run wrote.
var errDryRun = errors.New("catalog: this was a dry run")

// FillCodePool adds the codes of a CSV file to a campaign's pool, one in each
// line: in the column headed "code", else in the first. Lines that cannot be
// taken are named and do not stop the others.
func (c *Catalog) FillCodePool(ctx context.Context, scope Scope, campaignID string, file io.Reader, dryRun bool) (PoolUpload, error) {
	lines, err := readPoolLines(file)
	if err != nil {
		return PoolUpload{}, err
	}
	var result PoolUpload
	err = c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		result = PoolUpload{DryRun: dryRun, Errors: []LineError{}}
		campaign, err := c.liveCampaign(ctx, scope, campaignID, "upload codes")
		if err != nil {
			return err
		}
		if !*campaign.Tracking {
			return attribution.Refuse(attribution.CodeTrackingDisabled, "the campaign has no tracking: it makes no links and codes")
		}
		number, err := w.take(ctx, "code_pool", len(lines))
		if err != nil {
			return err
		}
		for i, line := range lines {
			problem, err := w.addToPool(ctx, number+int64(i), campaign, line)
			if err != nil {
				return err
			}
			if problem == nil {
				result.Added++
			} else {
				result.Errors = append(result.Errors, *problem)
			}
		}
		if result.CodePool, err = w.codePool(ctx, campaignID); err != nil {
			return err
		}
		if dryRun {
			return errDryRun
		}
		return w.audit(ctx, "upload", "code_pool", campaignID, campaign.AdvertiserID, nil)
	})
	if isNot(err, errDryRun) {
		return PoolUpload{}, err
	}
	return result, nil
}

func (w *writing) addToPool(ctx context.Context, number int64, campaign campaignRow, line poolLine) (*LineError, error) {
	if !validCode(line.code) {
		return &LineError{line.number, attribution.CodeValidation, fmt.Sprintf("%.80q must be %d to %d of A-Z a-z 0-9 _ - .", line.code, minCode, maxCode)}, nil
	}
	var taken bool
	if err := w.Row(ctx, "code.taken", campaign.AdvertiserID, strings.ToLower(line.code)).Scan(&taken); err != nil {
		return nil, fmt.Errorf("catalog: looking for a code: %w", err)
	}
	if taken {
		return &LineError{line.number, CodeCodeTaken, fmt.Sprintf("the advertiser has the code %q already", line.code)}, nil
	}
	_, err := w.Exec(ctx, "code.pool_insert", number, campaign.ID, campaign.AdvertiserID, line.code, int64(w.at))
	return nil, err
}

// A poolLine is one code of an upload.
type poolLine struct {
	number int
	code   string
}

// readPoolLines reads the codes of a CSV file.
func readPoolLines(file io.Reader) ([]poolLine, error) {
	text := bufio.NewReader(file)
	if mark, err := text.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = text.Discard(len(mark)) // spreadsheets begin their files with it
	}
	rows := csv.NewReader(text)
	rows.FieldsPerRecord, rows.ReuseRecord, rows.TrimLeadingSpace = -1, true, true
	var lines []poolLine
	column := 0
	for first := true; ; first = false {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fieldProblem("body", fmt.Sprintf("is not CSV: %v", err))
		}
		if first {
			if named, isHead := codeColumn(row); isHead {
				column = named
				continue
			}
		}
		number, _ := rows.FieldPos(0)
		code := ""
		if column < len(row) {
			code = strings.TrimSpace(row[column])
		}
		lines = append(lines, poolLine{number, strings.Clone(code)})
		if len(lines) > MaxPoolLines {
			return nil, fieldProblem("body", fmt.Sprintf("must be at most %d codes: upload them in parts", MaxPoolLines))
		}
	}
	if len(lines) == 0 {
		return nil, fieldProblem("body", "has no codes: write one in each line")
	}
	return lines, nil
}

// codeColumn finds the column headed "code".
func codeColumn(row []string) (column int, found bool) {
	for i, name := range row {
		if strings.EqualFold(strings.TrimSpace(name), "code") {
			return i, true
		}
	}
	return 0, false
}
