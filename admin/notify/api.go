package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
)

// A Notification tells the keys of an advertiser, of a creator or of the operator
// what happened. Who reads it reads it for all of them.
type Notification struct {
	ID        string               `json:"id"`
	Type      string               `json:"type" doc:"That of the event, or campaign.starts, webhook.failing, webhook.disabled"`
	Title     string               `json:"title"`
	Text      string               `json:"text" doc:"Paragraphs, with empty lines between"`
	Subject   map[string]string    `json:"subject" doc:"Ids of what it is about: campaign_id, action_id, payout_id, webhook_id"`
	CreatedAt attribution.Instant  `json:"created_at"`
	ReadAt    *attribution.Instant `json:"read_at"`

	number int64
}

type (
	listInput struct {
		admin.PageQuery
		Unread     bool   `query:"unread" doc:"Only those not read yet"`
		Type       string `query:"type"`
		CampaignID string `query:"campaign_id"`
	}
	// A List is a page of somebody's notifications, newest first.
	List struct {
		Items      []Notification `json:"items" nullable:"false"`
		NextCursor string         `json:"next_cursor,omitempty" doc:"Give it as cursor for the next page; absent on the last"`
		Unread     int64          `json:"unread" doc:"How many are not read yet, of all; 1,000 stands for more"`
	}
	// ReadAll says how many notifications were read.
	ReadAll struct {
		Read int64 `json:"read"`
	}
)

// maxUnread bounds the count of what is not read.
const maxUnread = 1_000

// Routes are the operations on notifications.
func (s *Service) Routes(api *admin.API) {
	const path = "/v1/notifications"
	operation := func(id, method, path, summary string) admin.Operation {
		return admin.Operation{ID: id, Method: method, Path: path, Tag: "Notifications", Summary: summary,
			Roles: []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}}
	}
	admin.Register(api, operation("list-notifications", http.MethodGet, path, "List notifications, newest first"), func(ctx context.Context, in *listInput) (*admin.Answer[List], error) {
		return admin.Answered(s.list(ctx, admin.ScopeOf(ctx), in))
	})
	admin.Register(api, operation("read-notification", http.MethodPost, path+"/{id}/read", "Say that a notification was read"), func(ctx context.Context, in *admin.ByID) (*admin.Answer[Notification], error) {
		return admin.Answered(s.read(ctx, admin.ScopeOf(ctx), in.ID))
	})
	admin.Register(api, operation("read-all-notifications", http.MethodPost, path+"/read-all", "Say that all notifications were read"), func(ctx context.Context, _ *struct{}) (*admin.Answer[ReadAll], error) {
		return admin.Answered(s.readAll(ctx, admin.ScopeOf(ctx)))
	})
}

// owner is whose notifications a key reads.
func owner(scope catalog.Scope) (role, id string) {
	switch scope.Role {
	case catalog.RoleAdvertiser:
		return scope.Role, scope.AdvertiserID
	case catalog.RoleCreator:
		return scope.Role, scope.CreatorID
	}
	return catalog.RoleAdmin, ""
}

type scanner interface{ Scan(dest ...any) error }

func scanNotification(row scanner) (Notification, error) {
	var n Notification
	var campaign, subject string
	var read int64
	if err := row.Scan(&n.number, &n.ID, &n.Type, &n.Title, &n.Text, &campaign, &subject, &n.CreatedAt, &read); err != nil {
		return n, fmt.Errorf("notify: reading a notification: %w", err)
	}
	if read != 0 {
		n.ReadAt = new(attribution.Instant(read))
	}
	if err := json.Unmarshal([]byte(subject), &n.Subject); err != nil {
		return n, fmt.Errorf("notify: reading a notification: %w", err)
	}
	return n, nil
}

// List reads the notifications of a scope, by 100 unless the page says otherwise.
func (s *Service) List(ctx context.Context, scope catalog.Scope, page catalog.Page) (List, error) {
	if page.Limit <= 0 {
		page.Limit = defaultLimit
	}
	return s.list(ctx, scope, &listInput{PageQuery: admin.PageQuery{Cursor: page.Cursor, Limit: page.Limit}})
}

const defaultLimit = 100

func (s *Service) list(ctx context.Context, scope catalog.Scope, in *listInput) (out List, err error) {
	role, id := owner(scope)
	out.Items = []Notification{}
	given := database.Given{"role": role, "owner_id": id, "type": in.Type, "campaign_id": in.CampaignID, "limit": in.Limit + 1}
	if in.Unread {
		given["unread"] = 1
	}
	if in.Cursor != "" {
		before, err := strconv.ParseInt(in.Cursor, 10, 64)
		if err != nil || before < 1 {
			var c attribution.Checker
			c.Add("query.cursor", "is not a cursor of this list: pass the next_cursor of its last answer")
			return out, c.Err()
		}
		given["before"] = before
	}
	rows, err := s.o.DB.Filter(ctx, "notification.list", given)
	if err != nil {
		return out, err
	}
	defer rows.Close()
	for rows.Next() {
		n, err := scanNotification(rows)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, n)
	}
	if err := rows.Err(); err != nil {
		return out, fmt.Errorf("notify: reading notifications: %w", err)
	}
	if len(out.Items) > in.Limit {
		out.Items = out.Items[:in.Limit]
		out.NextCursor = strconv.FormatInt(out.Items[in.Limit-1].number, 10)
	}
	if err := s.o.DB.Row(ctx, "notification.unread", role, id, maxUnread).Scan(&out.Unread); err != nil {
		return out, fmt.Errorf("notify: counting notifications: %w", err)
	}
	return out, nil
}

func (s *Service) read(ctx context.Context, scope catalog.Scope, id string) (n Notification, err error) {
	role, ownerID := owner(scope)
	err = s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		n, err = scanNotification(tx.Row(ctx, "notification.by_id", id, role, ownerID))
		if errors.Is(err, sql.ErrNoRows) {
			return attribution.Refuse(attribution.CodeNotFound, "there is no notification %.64q", id)
		}
		if err != nil || n.ReadAt != nil {
			return err
		}
		n.ReadAt = new(attribution.InstantOf(s.o.Today()))
		_, err = tx.Exec(ctx, "notification.read", int64(*n.ReadAt), n.number)
		return err
	})
	return n, err
}

func (s *Service) readAll(ctx context.Context, scope catalog.Scope) (all ReadAll, err error) {
	role, id := owner(scope)
	err = s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		all.Read, err = tx.Exec(ctx, "notification.read_all", s.o.Today().UnixMilli(), role, id)
		return err
	})
	return all, err
}
