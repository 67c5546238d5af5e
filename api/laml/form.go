package laml

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"callbox/api"
)

// maxPairs bounds the parameters of one request.
const maxPairs = 256

// readForm reads the parameters of a request: the query of a GET, the body of
// everything else. The server bounds the body.
func readForm(r *http.Request) (url.Values, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return parseForm(r.URL.RawQuery)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, refuse(CodeInvalid, "the body could not be read: %s", err)
	}
	ct := r.Header.Get("Content-Type")
	if ct == "" && len(body) == 0 {
		return url.Values{}, nil
	}
	if mt, _, err := mime.ParseMediaType(ct); err != nil || mt != "application/x-www-form-urlencoded" {
		return nil, fmt.Errorf("%w: send the parameters as application/x-www-form-urlencoded, not as %q", api.ErrContentType, ct)
	}
	return parseForm(string(body))
}

// parseForm reads name=value pairs. Names and values are UTF-8 without control
// characters other than white space.
func parseForm(s string) (url.Values, error) {
	if strings.Count(s, "&") >= maxPairs {
		return nil, refuse(CodeInvalid, "a request has at most %d parameters", maxPairs)
	}
	form, err := url.ParseQuery(s)
	if err != nil {
		return nil, refuse(CodeInvalid, "the parameters are not well encoded: %s", err)
	}
	for name, values := range form {
		if !cleanText(name) {
			return nil, refuse(CodeInvalid, "a parameter's name is not UTF-8 text")
		}
		for _, v := range values {
			if !cleanText(v) {
				return nil, refuse(CodeInvalid, "%s is not UTF-8 text, or holds control characters", name)
			}
		}
	}
	return form, nil
}

// cleanText reports whether s is UTF-8 without control characters other than
// white space.
func cleanText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return true
}
