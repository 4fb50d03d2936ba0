package columns

import (
	"reflect"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Nothing that was counted of a pair is lost or mixed up in a column.
func TestSeenInColumns(t *testing.T) {
	var seen evidence.Seen
	fields := reflect.ValueOf(&seen).Elem()
	for i := range fields.NumField() {
		if field := fields.Field(i); field.CanUint() {
			field.SetUint(uint64(i + 1))
		} else {
			field.SetInt(int64(i + 1))
		}
	}
	for _, direction := range []string{evidence.DirectionTX, evidence.DirectionRX} {
		about := evidence.Witness{Link: "wg0", Direction: direction, Family: 4, Seen: []evidence.Seen{seen}}
		var packer Packer
		var unpacker Unpacker
		count := 0
		for _, m := range packer.Pack([]evidence.Message{{Witness: &about}}) {
			if m.Witness.Alike == nil {
				t.Fatalf("%+v is not a column", m.Witness)
			}
			err := unpacker.Unpack(&m, func(one *evidence.Message) {
				count += len(one.Witness.Seen)
				if !reflect.DeepEqual(*one.Witness, about) {
					t.Errorf("%+v, want %+v", one.Witness, about)
				}
			})
			if err != nil {
				t.Error(err)
			}
		}
		if count != 1 {
			t.Errorf("%d pairs", count)
		}
	}
}
