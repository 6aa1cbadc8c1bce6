/* A shop that counts its purchases: cc shop.c $(pkg-config --cflags --libs weir) */
#include <stdio.h>
#include <weir/weir.h>

int main(void)
{
	struct weir_dimension by[] = {{"country", "DE"}, {"device", "mobile"}};
	struct weir_ledger ledger;
	weir *w;

	if (weir_open(NULL, &w) < 0) /* only without memory; it needs no engine */
		return 1;
	int purchases = weir_series(w, WEIR_PURCHASE, WEIR_VALUE, WEIR_KIND_NUMBER, by, 2);
	for (int i = 0; i < 1000; i++)
		weir_emit(w, purchases, 49.99);
	weir_wait(w, WEIR_PERSISTED, 1000);
	weir_ledger(w, &ledger);
	printf("%llu attempted, %llu persisted\n", (unsigned long long)ledger.attempted,
	       (unsigned long long)ledger.persisted);
	return weir_close(w, 1000) < 0;
}
