# What `npm install` builds with. The developer's build (tests, sanitizers) is CMakeLists.txt;
# both take their sources from native/sources.json.
{
    'variables': {
        # 1: link libstdc++ and libgcc statically, for a prebuilt addon that runs elsewhere.
        'holdfast_portable%': 0,
    },
    'targets': [
        {
            'target_name': 'holdfast',
            'sources': ['<!@(node scripts/sources.mjs core binding)'],
            'include_dirs': ['native'],
            'defines': ['NAPI_VERSION=8'],
            'cflags': ['-Wall', '-Wextra', '-fvisibility=hidden'],
            'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
            'cflags_cc': ['-std=c++20', '-fno-exceptions', '-fno-rtti', '-fvisibility-inlines-hidden'],
            # Never unloaded: the keeper thread outlives the environment that loaded the addon.
            'ldflags': ['-Wl,-z,nodelete'],
            # glibc before 2.34 keeps shm_open and the pthread functions in libraries of their own.
            'libraries': ['-lpthread', '-lrt'],
            'configurations': {
                'Release': {
                    'cflags!': ['-O3'],
                    'cflags': ['-O2'],
                },
            },
            'conditions': [
                ['holdfast_portable==1', {'ldflags': ['-static-libstdc++', '-static-libgcc']}],
            ],
        },
    ],
}
