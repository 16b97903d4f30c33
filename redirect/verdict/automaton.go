package verdict

import "fmt"

// An automaton finds all of many literals in one pass over a text (Aho and
// Corasick, "Efficient string matching", 1975), with every failure already
// followed: one look-up for each byte of the text, however many literals there
// are.
//
// The table has a row for each state. A row's first cell holds what is found
// when the state is reached; the others hold the next row, by the byte's column.
// Bytes that no literal has share otherColumn.
type automaton struct {
	column [256]uint32
	width  uint32 // cells in a row
	table  []uint32
	start  uint32 // the row behind textStart
	end    uint32 // textEnd's column
}

const otherColumn = 1

// maxStates bounds the table, at about 400 bytes for each state.
const maxStates = 1 << 17

func newAutomaton(literals []literal) (*automaton, error) {
	a := &automaton{width: otherColumn + 1}
	for i := range a.column {
		a.column[i] = otherColumn
	}
	states := 1
	for _, l := range literals {
		states += len(l.text)
		for i := range len(l.text) {
			if c := l.text[i]; a.column[c] == otherColumn {
				a.column[c] = a.width
				a.width++
			}
		}
	}
	if states > maxStates {
		return nil, fmt.Errorf("the patterns have %d characters together, more than %d: shorten the list", states, maxStates)
	}
	a.table = make([]uint32, a.width, states*int(a.width))
	for _, l := range literals {
		a.insert(l)
	}
	a.followFailures()
	a.start = a.table[a.column[textStart[0]]]
	a.end = a.column[textEnd[0]]
	// In a user agent these two are bytes like any other that no literal has.
	a.column[textStart[0]], a.column[textEnd[0]] = otherColumn, otherColumn
	return a, nil
}

// insert adds a literal to the trie.
func (a *automaton) insert(l literal) {
	row := uint32(0)
	for i := range len(l.text) {
		cell := row + a.column[l.text[i]]
		if a.table[cell] == 0 {
			a.table[cell] = uint32(len(a.table))
			a.table = append(a.table, make([]uint32, a.width)...)
		}
		row = a.table[cell]
	}
	a.table[row] |= uint32(l.shows)
}

// followFailures completes the trie, breadth first: where a state has no branch
// for a byte, it takes the branch of its longest suffix that is a state, and it
// finds what that suffix finds.
func (a *automaton) followFailures() {
	suffixes := make(map[uint32]uint32, len(a.table)/int(a.width)) // row → row
	queue := []uint32{}
	for column := uint32(otherColumn); column < a.width; column++ {
		if child := a.table[column]; child != 0 {
			queue = append(queue, child)
		}
	}
	for len(queue) > 0 {
		row := queue[0]
		queue = queue[1:]
		suffix := suffixes[row]
		a.table[row] |= a.table[suffix]
		for column := uint32(otherColumn); column < a.width; column++ {
			branch := a.table[suffix+column]
			if child := a.table[row+column]; child != 0 {
				suffixes[child] = branch
				queue = append(queue, child)
			} else {
				a.table[row+column] = branch
			}
		}
	}
}

// scan gathers what the literals in text show.
func (a *automaton) scan(text []byte) signs {
	row := a.start
	found := a.table[row]
	for _, c := range text {
		row = a.table[row+a.column[c]]
		found |= a.table[row]
	}
	row = a.table[row+a.end]
	return signs(found | a.table[row])
}
