package script

import "testing"

func TestSameUser(t *testing.T) {
	for _, tc := range []struct{ abs, base, want string }{
		{"https://shop:a&b@app.lan/x?u=//c@d", "https://shop:a%26b@app.lan:1/y", "https://shop:a%26b@app.lan/x?u=//c@d"},
		{"https://shop:a&b@app.lan/x", "https://app.lan/y?c=//z@", "https://shop:a&b@app.lan/x"},
		{"https://app.lan/x?y=//a@b", "https://shop:a%26b@app.lan/y", "https://app.lan/x?y=//a@b"},
		{"", "https://shop:a%26b@app.lan/y", ""},
		{"https://a@b@app.lan", "https://%61%40b@app.lan", "https://%61%40b@app.lan"},
	} {
		if got := SameUser(tc.abs, tc.base); got != tc.want {
			t.Errorf("%s from %s: %s, want %s", tc.abs, tc.base, got, tc.want)
		}
	}
}
