// Package words holds the words and phrases that a user must not read: private
// words of this project, inverted sentences and archaisms, each with what
// standard technical English says instead. Its test reads every text that a user
// can see: string literals of the plugin, golden reports, the output of explain
// and help, and the documents.
//
// It is responsible for the list alone. JSON names, codes and identifiers are a
// contract and are not in it.
package words

import "regexp"

// Word is a pattern that must not come back, and what to write instead.
type Word struct {
	Pattern *regexp.Regexp
	Instead string
}

// List is every such word. A pattern matches whole words, in any case.
var List = []Word{
	word(`canary|canaries`, "test packet"),
	word(`anew`, "again; recreate"),
	word(`mend(s|ed|ing)?`, "fix"),
	word(`vouch(es)?( for)?`, "prove"),
	word(`befalls?`, "happens to"),
	word(`for ever`, "indefinitely"),
	word(`steadily`, "stable"),
	word(`without a word`, "silently"),
	word(`wins? over|winning over`, "takes precedence over"),
	word(`took another way|takes? another way|take another way`, "bypassed the tunnel; take another path"),
	word(`and yet`, "yet"),
	word(`authenticated nothing`, "received nothing"),
	word(`cannot be told|could not be told`, "cannot be attributed; is not known"),
	word(`its alone`, "belongs only to this peer"),
	word(`is the more specific one`, "takes precedence"),
	word(`crosses the wire in clear (without|inside)`, "is sent in PLAINTEXT"),
	word(`is no (format|address family|image|folder)`, "is not a valid …"),
	word(`there is no folder`, "directory … does not exist"),
	word(`ordered pairs?`, "directions"),
	word(`this run's name chooses`, "chosen from the run ID"),
	word(`the next in the order of their names`, "a ring through all nodes by name"),
	word(`first cause:`, "Cause"),
	word(`to mend it|to fix it:`, "Fix"),
	word(`mind:`, "Impact"),
	word(`where you use kubectl`, "on your workstation"),
	word(`witness(ed)?( inside)?`, "seen in tunnel"),
	word(`absent outside`, "no plaintext"),
	word(`instrument sound`, "capture reliable"),
	word(`clos(e|es|ing) the books`, "reading final counters"),
	word(`say(s|ing)? goodbye`, "stopping probes"),
	word(`looking again|second look`, "starting a second probe"),
	word(`surveying`, "reading cluster state"),
	word(`asking for permission`, "checking permissions"),
	word(`placing the pods`, "starting probe pods"),
	word(`collecting evidence`, "testing"),
	word(`nothing is left`, "nothing to clean up"),
	word(`you may not`, "your user is not allowed to"),
	word(`someone who may`, "ask a cluster admin"),
	word(`use no colou?rs`, "disable colors"),
	word(`show no progress`, "hide progress"),
	word(`the time given by --timeout`, "timed out after … (--timeout)"),
	word(`prove, or refuse to prove|proves, or refuses to prove`, "verify"),
	word(`as readable there as before`, "not encrypted on that link"),
	word(`of the future`, "that lie in the future"),
	word(`(running )?pods go on`, "keep running"),
	word(`until every node was restarted`, "until every node has been restarted"),
	word(`newcomers?|unborn`, "new pod"),
	word(`was not watched`, "was not captured"),
	word(`let the run's pods be admitted`, "allow the test pods to be created"),
	word(`leave --family away`, "omit --family"),
	word(`from its beginning`, "when the cluster is created"),
	word(`none that is older`, "rejects"),
	word(`does not know, rather|do not know yet, rather`, "unknown pods"),
	word(`invalid IP`, "no address"),
}

func word(pattern, instead string) Word {
	return Word{regexp.MustCompile(`(?i)(^|[^\w-])(` + pattern + `)($|[^\w-])`), instead}
}

// Find returns the words of the list that are in a text, as they stand there.
func Find(text string) (found []string) {
	for _, w := range List {
		if m := w.Pattern.FindStringSubmatch(text); m != nil {
			found = append(found, m[2]+" (write: "+w.Instead+")")
		}
	}
	return found
}
