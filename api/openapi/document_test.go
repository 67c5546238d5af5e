package openapi

import (
	"encoding/json"
	"strings"
	"testing"

	"callbox/api"
)

func text(name string) *api.Schema { return &api.Schema{Name: name, Type: "string"} }

func TestDocument(t *testing.T) {
	one, many := 1, 600
	op := api.Operation{
		API: "x", Method: "POST", Path: "/a/{id}/b/{sid}.json", Summary: "Do it", Auth: api.AuthBasic, Form: true,
		Query: []api.Field{{Name: "q", Required: true, Schema: &api.Schema{Type: "integer", Min: &one, Max: &many}}},
		Body: &api.Schema{Type: "object", Fields: []api.Field{{Name: "To", Required: true, Schema: &api.Schema{Type: "string", Max: &many}},
			{Name: "Method", Schema: &api.Schema{Type: "string", Nullable: true, Enum: []string{"GET"}}}}},
		Answers: []api.Answer{{Status: 201, Type: "application/json", Schema: &api.Schema{Type: "array", Items: text("x.Name")}},
			{Says: "What went wrong", Type: "text/plain"}},
	}
	b, err := Document(Info{Title: "t", Version: "1", Server: "/"}, []api.Operation{op})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Paths map[string]any }
	if err := json.Unmarshal(b, &doc); err != nil || doc.Paths[op.Path] == nil {
		t.Fatalf("%v: %s", err, b)
	}
	for _, part := range []string{
		`"name":"id"`, `"name":"sid"`, `"operationId":"x_post_a_id_b_sid_json"`, `"minimum":1`, `"maximum":600`, `"maxLength":600`,
		`"enum":["GET",null]`, `"required":["To"]`, `"application/x-www-form-urlencoded"`, `"$ref":"#/components/schemas/x.Name"`,
		`"x.Name":{"type":"string"}`, `"description":"Created"`, `"description":"What went wrong"`, `"security":[{"basic":[]}]`,
	} {
		if !strings.Contains(string(b), part) {
			t.Errorf("no %s in %s", part, b)
		}
	}
}

// TestContradictions: what says two things of one place is not served.
func TestContradictions(t *testing.T) {
	ok := []api.Answer{{Status: 200, Type: "application/json", Schema: text("x.Name")}}
	for name, ops := range map[string][]api.Operation{
		"one place twice":   {{Method: "GET", Path: "/a", Answers: ok}, {Method: "GET", Path: "/a", Answers: ok}},
		"one status twice":  {{Method: "GET", Path: "/a", Answers: append(ok, ok...)}},
		"two schemas named": {{Method: "GET", Path: "/a", Answers: ok}, {Method: "GET", Path: "/b", Answers: []api.Answer{{Status: 200, Type: "application/json", Schema: &api.Schema{Name: "x.Name", Type: "integer"}}}}},
	} {
		if b, err := Document(Info{}, ops); err == nil {
			t.Errorf("%s: %s", name, b)
		}
	}
}
