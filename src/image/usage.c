/* SPDX-License-Identifier: Apache-2.0 */
/* How much of the disk images take. */
#include "image/private.h"

int image_unique_size(struct image_store *is, const struct image *img, uint64_t *ret,
		      struct err *err)
{
	int64_t bytes = 0;
	int r;

	r = db_query_int(db_reader(is->db), &bytes, err,
			 "SELECT sum(layers.size) FROM image_layers AS mine JOIN layers USING"
			 " (chain) WHERE mine.image = ?1 AND NOT EXISTS (SELECT 1 FROM image_layers"
			 " WHERE chain = mine.chain AND image != ?1)",
			 "t", image_id(img));
	*ret = (uint64_t)bytes;
	return r < 0 ? r : 0;
}

int image_layers_size(struct image_store *is, uint64_t *ret, struct err *err)
{
	int64_t bytes = 0;
	int r;

	r = db_query_int(db_reader(is->db), &bytes, err, "SELECT sum(size) FROM layers", "");
	*ret = (uint64_t)bytes;
	return r < 0 ? r : 0;
}
