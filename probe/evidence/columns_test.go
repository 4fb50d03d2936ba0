package evidence

import (
	"reflect"
	"testing"
)

// Nothing that was counted of a pair is lost or mixed up in a column.
func TestSeenInColumns(t *testing.T) {
	var seen Seen
	fields := reflect.ValueOf(&seen).Elem()
	for i := range fields.NumField() {
		if field := fields.Field(i); field.CanUint() {
			field.SetUint(uint64(i + 1))
		} else {
			field.SetInt(int64(i + 1))
		}
	}
	for _, direction := range []string{DirectionTX, DirectionRX} {
		about := Witness{Link: "wg0", Direction: direction, Family: 4, Seen: []Seen{seen}}
		var packer Packer
		var columns Unpacker
		count := 0
		for _, m := range packer.Pack([]Message{{Witness: &about}}) {
			if m.Witness.Alike == nil {
				t.Fatalf("%+v is no column", m.Witness)
			}
			err := columns.Unpack(&m, func(one *Message) {
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
