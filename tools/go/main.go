// Renders templates with the libraries that External Secrets Operator uses, so that rolecall's own
// engine can be compared with them.
//
//	go run . render < rows.jsonl   gives each row again, with what was rendered or the error
//	go run . bench FILE SECONDS    renders each template of FILE over and over, and prints how often
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
)

// row is one comparison: either a template over data, or a text that is read as a map of strings.
type row struct {
	Group    string             `json:"group"`
	Template *string            `json:"template,omitempty"`
	Data     map[string]string  `json:"data,omitempty"`
	Map      *string            `json:"map,omitempty"`
	Refused  string             `json:"refused,omitempty"`
	Differs  string             `json:"differs,omitempty"`
	Out      *string            `json:"out,omitempty"`
	Bytes    *string            `json:"bytes,omitempty"`
	Entries  *map[string]string `json:"entries,omitempty"`
	Error    *string            `json:"error,omitempty"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tools/go:", err)
		os.Exit(1)
	}
}

func run(words []string) error {
	switch {
	case len(words) == 1 && words[0] == "render":
		return renderRows()
	case len(words) == 3 && words[0] == "bench":
		return bench(words[1], words[2])
	}
	return fmt.Errorf("want render, or bench FILE SECONDS")
}

func renderRows() error {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 16<<20)
	output := json.NewEncoder(os.Stdout)
	output.SetEscapeHTML(false)
	for input.Scan() {
		var r row
		if err := json.Unmarshal(input.Bytes(), &r); err != nil {
			return err
		}
		r.Out, r.Bytes, r.Entries, r.Error = nil, nil, nil, nil
		if r.Map != nil {
			readMap(&r)
		} else if r.Template != nil {
			renderRow(&r)
		}
		if err := output.Encode(r); err != nil {
			return err
		}
	}
	return input.Err()
}

func renderRow(r *row) {
	text, err := render(*r.Template, r.Data)
	switch {
	case err != nil:
		message := err.Error()
		r.Error = &message
	case utf8.Valid(text):
		valid := string(text)
		r.Out = &valid
	default:
		encoded := base64.StdEncoding.EncodeToString(text)
		r.Bytes = &encoded
	}
}

func readMap(r *row) {
	entries := map[string]string{}
	if err := yaml.Unmarshal([]byte(*r.Map), &entries); err != nil {
		message := err.Error()
		r.Error = &message
		return
	}
	if entries == nil {
		entries = map[string]string{}
	}
	r.Entries = &entries
}

func render(text string, data map[string]string) ([]byte, error) {
	parsed, err := template.New("k").Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	if data == nil {
		data = map[string]string{}
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, data)
	return out.Bytes(), err
}

// functions are those that ESO documents: sprig without what reaches out, and two for YAML.
var functions = func() template.FuncMap {
	all := sprig.TxtFuncMap()
	for _, reaching := range []string{"env", "expandenv", "getHostByName"} {
		delete(all, reaching)
	}
	all["toYaml"] = func(value any) string {
		text, err := yaml.Marshal(value)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(text), "\n")
	}
	all["fromYaml"] = func(text string) map[string]any {
		entries := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &entries); err != nil {
			entries = map[string]any{"Error": err.Error()}
		}
		return entries
	}
	return all
}()

func bench(file, seconds string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	limit, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return err
	}
	var r row
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	count := 0
	start := time.Now()
	for time.Since(start).Seconds() < limit {
		for range 100 {
			if _, err := render(*r.Template, r.Data); err != nil {
				return err
			}
			count++
		}
	}
	fmt.Printf("%.0f\n", float64(count)/time.Since(start).Seconds())
	return nil
}
