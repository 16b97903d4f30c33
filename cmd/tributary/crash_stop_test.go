package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stops tells the process to stop and expects it to do so in good order.
func (s *served) stops() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.ended(); code != exitOK {
		s.t.Errorf("exit code %d:\n%s", code, s.err.String())
	}
}

// TestTermUnderLoadAnswersAndStoresEveryClick stops a process among shoppers.
// None of those connected is cut off in a request, and what they were answered
// is stored by the next life.
func TestTermUnderLoadAnswersAndStoresEveryClick(t *testing.T) {
	dir := t.TempDir()
	s := startServe(t, dir)
	client := s.client()
	crowd := gather(t, client.makeKnownLinks(2), 1)
	crowd.goTo(client)
	client.shipping(0)

	crowd.stay()
	s.stops()
	books := crowd.disperse()
	books.undisturbed(t)
	if books.farewells == 0 {
		t.Error("nobody was told that a connection ends")
	}
	next := startServe(t, dir)
	next.client().drained()
	next.stops()
	t.Logf("%d of %d connections were ended with an answer", books.farewells, shoppers)
	openStore(t, dir).keepsPromise(&books, 0)
}

// TestTermAnswersARequestThatIsHalfSent is the same for one request that is
// sure to be under way.
func TestTermAnswersARequestThatIsHalfSent(t *testing.T) {
	s := startServe(t, t.TempDir())
	client := s.client()
	link := client.makeKnownLinks(1)[0]
	shopper, err := callAt(client.trackerListener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer shopper.hangUp()
	request := fmt.Sprintf("GET /%s HTTP/1.1\r\nHost: links.example\r\nUser-Agent: %s\r\n\r\n", link["slug"], phone)
	if _, err := io.WriteString(shopper.conn, request[:len(request)/2]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // until the tracker has read it
	s.signal(syscall.SIGTERM)
	eventually(t, func() error {
		late, err := callAt(client.trackerListener.Addr().String())
		if err == nil {
			late.hangUp()
			return errors.New("the listener still takes connections")
		}
		return nil
	})
	if _, err := io.WriteString(shopper.conn, request[len(request)/2:]); err != nil {
		t.Fatal(err)
	}
	answer, err := shopper.answer(http.MethodGet)
	if err != nil || answer.StatusCode != http.StatusFound || !answer.Close {
		t.Errorf("answered %v (%v), want a redirect that ends the connection", answer, err)
	}
	if code := s.ended(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, s.err.String())
	}
}

// TestTermDoesNotWaitForSilentConnections: browsers and load balancers open
// connections in advance and send nothing on them.
func TestTermDoesNotWaitForSilentConnections(t *testing.T) {
	s := startServe(t, t.TempDir())
	client := s.client()
	link := client.makeKnownLinks(1)[0]
	for range 3 {
		silent, err := callAt(client.trackerListener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer silent.hangUp()
	}
	client.click(link, phone) // and one that is kept alive
	s.stops()
}

// TestStartsAtOnceAfterKill: neither the lock of a killed process nor its
// ClickHouse, not even one that hangs, is in the way of the next.
func TestStartsAtOnceAfterKill(t *testing.T) {
	dir := t.TempDir()
	s := startServe(t, dir)
	client := s.client()
	crowd := gather(t, client.makeKnownLinks(1), 1)
	crowd.goTo(client)
	client.shipping(0)

	second := startServe(t, dir)
	if code := second.ended(); code != exitFailed || !strings.Contains(second.err.String(), "is in use by process") {
		t.Errorf("a second process ended with %d:\n%s", code, second.err.String())
	}
	crowd.clicking(t, 20)
	orphan := enginePID(t, dir)
	if orphan == 0 {
		t.Fatal("no ClickHouse works for the process")
	}
	if err := syscall.Kill(orphan, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGKILL)
	s.ended()
	next := startServe(t, dir)
	client = next.client()
	crowd.goTo(client)
	client.shipping(0)
	if working := enginePID(t, dir); working == orphan {
		t.Errorf("the killed process's ClickHouse %d is still at work", orphan)
	}
	books := crowd.disperse()
	client.drained()
	next.stops()
	if strings.Contains(next.err.String(), "held by another engine") {
		t.Errorf("the next process was refused the directory:\n%s", next.err.String())
	}
	openStore(t, dir).keepsPromise(&books, 0)
}
