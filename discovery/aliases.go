package discovery

// Aliases are the names by which services and dependencies are compared across environments, by the other
// names that they have in some of them: OrdersDb and orders_db are both orders db. Names are told apart by
// case. Nil has none.
type Aliases map[string]string

// Of returns the name by which a name is compared.
func (a Aliases) Of(name string) string {
	if to, ok := a[name]; ok {
		return to
	}
	return name
}
