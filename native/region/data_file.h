// The memory of an object that has some of its own (SharedArray): a file named after the region's, the object's
// number and its generation, "/holdfast-<uid>-<namespace>.<number>.<generation>~". The "~" is for namespaces that look
// like another's data: no namespace has one.
//
// Under the registry guard it gets its name just before the object is published, and loses it just before the object
// leaves the directory. Its memory is reserved before the guard is entered, and freed after it is left (RemovedFiles):
//
//   who dies                          leaves                     who clears it
//   -------------------------------   ------------------------   -------------------------------------------------
//   before it is named                nothing                    -
//   named, object not published       a file, a free record      Registry::rebuild(), the next one in the guard
//   unnamed, object still there       an object without a file   the same; else who opens it, as of an object that
//                                                                somebody has unlinked
//   unnamed, memory not freed yet     nothing                    the kernel, at its end
//
// In a namespace of a group only the file's maker can remove it, /dev/shm being a sticky folder: where another one is
// the last to close the object, the file stays until its maker's unlinkNamespace().
#pragma once

#include <string>

#include "posix/shm.h"
#include "region/layout.h"
#include "region/region.h"

namespace holdfast {

// What it takes per element; 0: no type has this code.
uint32_t element_bytes(uint32_t type);
// Of all elements, as the parameters have it.
uint64_t data_bytes(const Parameters& parameters);

std::string data_file_name(Region& region, ObjectIndex index, uint32_t generation);
// Harmless where there is none. Its memory is freed with `removed`: after the guard is left.
void remove_data_file(Region& region, ObjectIndex index, uint32_t generation,
                      RemovedFiles& removed);
// Of all objects of a region whose file has this name. Under its creation lock.
void remove_data_files(const std::string& region_file, RemovedFiles& removed);
// Whether the object has lost its file for everybody. It is not enough that this process finds none: its /dev/shm may be
// another one by now, and then the region's own file is missing there too.
[[nodiscard]] bool data_file_is_gone(Region& region, ObjectIndex index, uint32_t generation);

}  // namespace holdfast
