package loadgen

import (
	"fmt"
	"net/url"

	"tributary/cmd/tributary/traffic"
)

// mixSeed makes every run send the same requests.
const mixSeed = 20270110

// requests writes n different requests for the URLs, as they go over the wire.
// Each has an address of its own in X-Forwarded-For, which counts only where the
// tracker trusts the generator's network.
func requests(targets []*url.URL, n int) ([][]byte, error) {
	mix, err := traffic.NewMix(mixSeed)
	if err != nil {
		return nil, err
	}
	all := make([][]byte, n)
	for i := range all {
		target := targets[i%len(targets)]
		kind, address := mix.Visitor()
		request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\nX-Forwarded-For: %s\r\n",
			target.RequestURI(), target.Host, kind.UserAgent, address)
		if kind.Referer != "" {
			request = fmt.Appendf(request, "Referer: %s\r\n", kind.Referer)
		}
		if kind.Language != "" {
			request = fmt.Appendf(request, "Accept-Language: %s\r\n", kind.Language)
		}
		all[i] = append(request, "\r\n"...)
	}
	return all, nil
}
