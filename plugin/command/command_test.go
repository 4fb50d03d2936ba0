package command

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
)

const recordings = "../check/testdata/v1/"

// main runs the command line as main does.
func main(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	streams := Streams{In: strings.NewReader(""), Out: &out, Err: &errs}
	code = Main(t.Context(), append([]string{"kubectl-wg"}, args...), streams, &Interrupts{})
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	for line, test := range map[string]struct {
		code   int
		stderr string // what it must hold
	}{
		"version":                             {0, ""},
		"verify --print-images":               {0, ""},
		"verify --print-role":                 {0, ""},
		"explain":                             {0, ""},
		"explain wg0101":                      {0, ""},
		"explain WG9999":                      {2, "hint: kubectl wg explain lists all codes"},
		"nonsense":                            {2, "unknown command"},
		"verify --nonsense":                   {2, "hint: see: kubectl wg verify --help"},
		"verify node1":                        {2, "hint: to test only some nodes: kubectl wg verify --nodes node1,NODE"},
		"verify node1 node2":                  {2, "--nodes node1,node2"},
		"verify --nods a":                     {2, "hint: did you mean --nodes? see: kubectl wg verify --help"},
		"verify --node-selectr a":             {2, "did you mean --node-selector?"},
		"verify --out json":                   {2, "did you mean --output?"},
		"verify --selector a=b":               {2, "did you mean --node-selector?"},
		"verify -l a=b":                       {2, "did you mean --node-selector?"},
		"status":                              {4, "finding the cluster"},
		"state":                               {2, "\tstatus"},
		"status --nodes=":                     {2, "--nodes is empty"},
		"status -o xml":                       {2, "one of: wide, dump, json, yaml, name"},
		"status -o jsonpath={":                {2, "-o jsonpath={"},
		"status --interval 1ms":               {2, "--interval 1ms is not between 500ms and 1h0m0s"},
		"status --for 0s":                     {2, "--for 0s is not between 0 and"},
		"status --metrics --watch":            {2, "--metrics prints once"},
		"status --metrics -o json":            {2, "omit one of the two"},
		"status --metrics-listen nonsense":    {2, "is not HOST:PORT"},
		"status --metrics-listen 127.0.0.1:x": {2, "--metrics-listen: listen tcp"},
		"check":                               {2, "\tverify"},
		"test":                                {2, "\tverify"},
		"clean":                               {2, "\tcleanup"},
		"describe":                            {2, "\texplain"},
		"verify --nodes a":                    {2, "--nodes names only a; a proof needs two nodes"},
		"verify --nodes a,a":                  {2, "--nodes names only a"},
		"verify --nodes a,,":                  {2, "--nodes names only a"},
		"verify --nodes=":                     {2, "--nodes is empty"},
		"verify --nodes ,":                    {2, "--nodes is empty"},
		"verify --node-selector=":             {2, "--node-selector is empty"},
		"verify --family=":                    {2, "--family is empty"},
		"verify --record=":                    {2, "--record is empty"},
		"verify --record -":                   {2, "--record - is not a file"},
		"verify --record /dev/null":           {2, "/dev/null is not a regular file"},
		"verify --record /":                   {2, "is not a regular file"},
		"verify --timeout 5":                  {2, "hint: a number with its unit, e.g. 90s or 5m"},
		"verify --print-role=none":            {2, "one of: cluster, namespaced"},
		"verify --scope=nodes":                {2, "one or more of: pods,services,hosts"},
		"verify --scope=":                     {2, "--scope is empty"},
		"verify -n a/b":                       {2, "not a valid name of a namespace"},
		"verify -v=x":                         {2, "not a level from 0 to 10"},
		"verify -v=11":                        {2, "not a level from 0 to 10"},
		"verify --color=sometimes":            {2, "one of: auto, always, never"},
		"--version":                           {0, ""},
		"verify --namespace=":                 {2, "--namespace is empty"},
		"cleanup -n=":                         {2, "is not a valid name"},
		"cleanup --namespace=":                {2, "--namespace is empty"},
		"options":                             {0, ""},
		"version -o json":                     {0, ""},
		"version -o yaml":                     {0, ""},
		"version -o xml":                      {2, "one of: text, json, yaml"},
		"explain WG04":                        {0, ""},
		"explain 0401":                        {0, ""},
		"explain WG0401 wg0501":               {0, ""},
		"explain WG0401 WG9":                  {2, "there is no check WG9"},
		"replay":                              {2, "no recording is named"},
		"replay a b":                          {2, "more than one recording"},
		"verify":                              {4, "no kubeconfig was found at "},
		"verify --kubeconfig /nowhere/at":     {4, "no kubeconfig was found at /nowhere/at"},
		"verify -o xml":                       {2, "hint: one of: text, short, json, yaml"},
		"verify --family 5":                   {2, "hint: one of: 4, 6, all"},
		"verify --fail-on never":              {2, "hint: one of: fail, warn"},
		"verify --pairs none":                 {2, "--pairs"},
		"verify --timeout 1s":                 {2, "--timeout 1s is too short, the minimum is 5s"},
		"verify --image-pull-policy maybe":    {2, "hint: one of: Always, IfNotPresent, Never"},
		"verify --image-pull-secret s":        {2, "--namespace"},
		"verify --node-selector =":            {2, "--node-selector"},
		"verify --record /nowhere/at/all/f":   {2, "directory /nowhere/at/all does not exist"},
		"verify --server http://127.0.0.1:1 --request-timeout 2s": {4, "hint: the API server does not answer"},
		"cleanup --server http://127.0.0.1:1":                     {4, "hint: the API server does not answer"},
		"preflight":                                               {4, "no kubeconfig was found at "},
		"preflight x":                                             {2, `preflight takes no arguments: "x"`},
		"preflight -o xml":                                        {2, "one of: text, json, yaml"},
		"preflight --port 0":                                      {2, "--port 0 is not a valid port"},
		"preflight --port 70000":                                  {2, "a number from 1 to 65535"},
		"preflight --port 1,2,3":                                  {2, "--port names 3 ports, at most two"},
		"preflight --plan=":                                       {2, "--plan is empty"},
		"preflight --plan /nowhere/at/p":                          {2, "--plan: directory /nowhere/at does not exist"},
		"preflight --record -":                                    {2, "--record - is not a file"},
		"preflight --timeout 1s":                                  {2, "the minimum is 5s"},
		"cleanup --all x":                                         {2, "exclude each other"},
		"cleanup --timeout 0s":                                    {2, "--timeout 0s is not positive"},
		"cleanup --server http://127.0.0.1:1 --timeout 1ns":       {4, "hint: a longer --timeout"},
		"policy nonsense":                                         {2, `there is no command "nonsense" in kubectl wg policy`},
		"policy init x":                                           {2, `init takes no arguments: "x"`},
		"policy init --timeout 0s":                                {2, "is not positive"},
		"completion":                                              {0, ""},
		"completion nonsense":                                     {2, "hint: see: kubectl wg completion --help"},
		"help":                                                    {0, ""},
		"help verify":                                             {0, ""},
		"help policy init":                                        {0, ""},
		"help nonsense":                                           {2, `there is no command "nonsense"`},
		"help policy nonsense":                                    {2, `there is no command "policy nonsense"`},
		"verify --request-timeout soon":                           {2, `invalid value "soon" for --request-timeout`},
		"verify --request-timeout -1s":                            {2, "hint: e.g. 30s"},
		"verify --new-pods 99":                                    {2, "hint: see: kubectl wg verify --help"},
		"verify --scope ended --new-pods 0":                       {2, "hint: omit --new-pods, or give it a value above 0"},
		"verify --record /proc/x":                                 {2, "--record: making a file in /proc: "},
		"verify --policy .":                                       {2, "hint: name a file that kubectl wg policy init wrote"},
		"verify --server ::bad":                                   {4, "hint: set KUBECONFIG"},
		"verify --context none":                                   {4, "hint: kubectl config get-contexts"},
		"preflight --port a":                                      {2, "hint: one number, or several with commas"},
		"preflight --trial=maybe":                                 {2, "hint: true or false"},
		"capture -c x":                                            {2, `invalid value "x" for --count`},
		"status --template {{.x":                                  {2, "error: --template: "},
		"replay .":                                                {2, ". is a directory"},
		"replay command_test.go":                                  {4, "hint: FILE is a file that"},
		"replay --timeout 0s x":                                   {2, "is not positive"},
		"compare . .":                                             {2, ". is a directory"},
		"compare command_test.go command_test.go":                 {4, "hint: a recording of kubectl wg verify --record FILE"},
		"compare --timeout 0s a b":                                {2, "is not positive"},
		"replay /nowhere":                                         {2, "hint: FILE is a file that"},
		"replay -":                                                {4, "it is empty"},
		"policy":                                                  {0, ""},
		"policy schema":                                           {0, ""},
		"policy init":                                             {4, "no kubeconfig was found at "},
		"policy init --from /nowhere":                             {2, "hint: FILE is a file that"},
		"policy init --from=":                                     {2, "--from is empty"},
		"policy init --from " + recordings + "host-vxlan.ndjson": {0, ""},
		"verify --policy=":                                       {2, "--policy is empty"},
		"verify --policy /nowhere":                               {2, "hint: name a file that kubectl wg policy init wrote"},
		"verify --policy " + recordings + "host-vxlan.ndjson":    {2, "is not a valid policy"},
		"replay -o xml -":                                        {2, "hint: one of"},
		"replay " + recordings + "host-healthy-wireguard.ndjson": {0, ""},
		"replay " + recordings + "host-vxlan.ndjson":             {1, ""},
	} {
		t.Run(line, func(t *testing.T) {
			code, stdout, stderr := main(t, strings.Fields(line)...)
			if code != test.code || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit %d, want %d; stderr:\n%s", code, test.code, stderr)
			}
			if (code == 2 || code == 4) && (stdout != "" || !strings.Contains(stderr, "error: ")) {
				t.Errorf("stdout %q, stderr %q", stdout, stderr)
			}
			if code < 2 && stderr != "" {
				t.Errorf("stderr %q", stderr)
			}
		})
	}
}

// A truncated recording proves nothing, whatever it holds.
func TestReplayOfHalfARecording(t *testing.T) {
	whole, err := os.ReadFile(recordings + "host-healthy-wireguard.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	half := filepath.Join(t.TempDir(), "half")
	if err := os.WriteFile(half, bytes.Join(lines[:len(lines)-5], nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := main(t, "replay", half); code != exitInconclusive {
		t.Errorf("exit %d", code)
	}
}

// kubectl finds a plugin's completion under another name of the program.
func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"verify --family":  "4\n6\nall\n",
		"verify --fail-on": "fail\nwarn\n",
		"replay --fail-on": "fail\nwarn\n",
		"replay -o":        "text\nshort\njson\nyaml\nmarkdown\nhtml\njunit\n",
		"verify --output":  "text\nshort\njson\nyaml\nmarkdown\nhtml\njunit\n",
		"explain":          "WG0101\t",
		"verify --pairs":   "all\nring\n",
	} {
		var out, errs bytes.Buffer
		args := append([]string{"/usr/bin/kubectl_complete-wg"}, append(strings.Fields(line), "")...)
		code := Main(t.Context(), args, Streams{Out: &out, Err: &errs}, &Interrupts{})
		if code != 0 || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s: exit %d: %s", line, code, out.String())
		}
	}
}

func TestManifestsOfNamedNodesNeedNoCluster(t *testing.T) {
	code, stdout, stderr := main(t, "verify", "--print-manifests", "--nodes", "a,b", "--server", "http://127.0.0.1:1")
	if code != 0 || strings.Count(stdout, "kind: Job") != 6 || strings.Count(stdout, "kind: Namespace\n") != 2 {
		t.Errorf("exit %d, %s\n%s", code, stderr, stdout)
	}
	if strings.Contains(stdout, "status:") {
		t.Error("it prints what the server fills in")
	}
}

// Services and what else a scope needs are shown only where it is asked for.
func TestManifestsOfAScope(t *testing.T) {
	for scope, want := range map[string][2]int{"pods": {0, 0}, "hosts": {0, 1}, "services,pods": {2, 3}} {
		_, stdout, _ := main(t, "verify", "--print-manifests", "--nodes", "a,b", "--server", "http://127.0.0.1:1", "--scope", scope)
		got := [2]int{strings.Count(stdout, "kind: Service\n"), strings.Count(stdout, "protocol: UDP")}
		if got != want {
			t.Errorf("%s: %d Services, UDP named %d times, want %v", scope, got[0], got[1], want)
		}
	}
}

func TestErrorsKeepTheVerdictAndAllHints(t *testing.T) {
	var w bytes.Buffer
	hintedError := func(text string) error { return &usage{errors.New(text), "hint of " + text} }
	both := errors.Join(hintedError("one"), hintedError("two"))
	if code := fail(&w, &after{exitNotVerified, both}); code != exitNotVerified {
		t.Errorf("exit %d", code)
	}
	if got := w.String(); !strings.Contains(got, "hint of one") || !strings.Contains(got, "hint of two") {
		t.Errorf("%s", got)
	}
	w.Reset()
	fail(&w, errors.New("from a node: \x1b[2J\x9b"))
	if strings.Contains(w.String(), "\x1b") || strings.Contains(w.String(), "\x9b") {
		t.Errorf("%q reaches the terminal", w.String())
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	signals := make(chan os.Signal, 2)
	codes := make(chan int, 1)
	var w bytes.Buffer
	interrupts := &Interrupts{}
	interrupts.Left("kubectl wg cleanup abc234")
	ctx := interrupts.Watch(t.Context(), signals, &w, func(code int) { codes <- code })
	signals <- os.Interrupt
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the first signal does nothing")
	}
	var interrupted *Interrupted
	if !errors.As(context.Cause(ctx), &interrupted) || interrupted.Signal != os.Interrupt {
		t.Error(context.Cause(ctx))
	}
	signals <- os.Interrupt
	if code := <-codes; code != 130 || !strings.Contains(w.String(), "kubectl wg cleanup abc234") {
		t.Errorf("exit %d: %s", code, w.String())
	}
}

// Text from a cluster does not move the cursor, does not hide or reverse text,
// and shows no secret.
func TestErrorsAreSafeToShow(t *testing.T) {
	var w bytes.Buffer
	fail(&w, errors.New("node a\u202eb\u200bc\u2066d\ufeff\x1b[31m\u0085\u00ad\U000e0041 --token hunter2"))
	if got := w.String(); strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		t.Errorf("%q", got)
	}
	if got := w.String(); !strings.Contains(got, `a\u202eb\u200bc`) || strings.Contains(got, "hunter2") {
		t.Errorf("%q", got)
	}
}

// oidcConfig is a kubeconfig with a token of an identity provider.
const oidcConfig = `apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users:
  - name: u
    user:
      auth-provider:
        name: oidc
        config: {idp-issuer-url: "https://idp.example.org", client-id: kubectl, id-token: %s}
`

// Kubeconfigs that log in by OIDC work as with kubectl: the server is asked.
func TestOIDC(t *testing.T) {
	part := base64.RawURLEncoding.EncodeToString
	header := part([]byte(`{"alg":"RS256"}`))
	claims := part([]byte(`{"exp":4102444800}`))
	token := header + "." + claims + "." + part([]byte("signature"))
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, oidcConfig, token), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"verify", "cleanup"} {
		code, _, stderr := main(t, command, "--kubeconfig", config)
		if code != exitCouldNotRun || !strings.Contains(stderr, "hint: the API server does not answer") {
			t.Errorf("%s: exit %d, %s", command, code, stderr)
		}
	}
}
