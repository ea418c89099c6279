package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// newClient asks proxies that the agent's environment names. There is no limit
// of time on a whole answer: large files take long.
func newClient() *http.Client {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 30 * time.Second, IdleConnTimeout: time.Minute, DisableCompression: true,
		MaxResponseHeaderBytes: 1 << 20,
	}}
}

// get downloads w. It fails when nothing comes for as long as a stall may last.
func (f *Fetcher) get(ctx context.Context, w wanted, out *os.File) error {
	stalled := fmt.Errorf("nothing came for %v", f.cfg.Stall)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(f.cfg.Stall, func() { cancel(stalled) })
	defer watch.Stop()
	err := f.answer(ctx, w, out, func() { watch.Reset(f.cfg.Stall) })
	if errors.Is(context.Cause(ctx), stalled) {
		return stalled
	}
	return err
}

func (f *Fetcher) answer(ctx context.Context, w wanted, out *os.File, alive func()) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "souk-agent")
	resp, err := f.client.Do(req)
	if err != nil {
		return unwrapURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", resp.Status)
	}
	if resp.ContentLength > f.cfg.MaxBytes {
		return fmt.Errorf("it has %d bytes, the limit is %d", resp.ContentLength, f.cfg.MaxBytes)
	}
	err = f.copy(ctx, out, readerFunc(func(p []byte) (int, error) {
		n, err := resp.Body.Read(p)
		if n > 0 {
			alive()
		}
		return n, err
	}))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection ended before the file did")
	}
	return err
}

// unwrapURL drops the address, which may hold a password, from an error.
func unwrapURL(err error) error {
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		return ue.Err
	}
	return err
}
